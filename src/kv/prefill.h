#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

/// Start over and read the tokens. @return the cache, as Session::state has it
std::string prefill(Session& session, std::span<const int32_t> tokens);

/// A context of its own, on the weights of a session, that shows the queries of what it reads.
class QueryReader {
public:
    /// Called with the queries of a layer, turned by position: [n_tokens, n_head, d_k], positions first….
    using TakeQueries = std::function<void(int64_t layer, int64_t first, const float* q, int64_t n_tokens)>;

    /// @throws EngineError if the engine can't make such a context
    QueryReader(const Session& weights, int64_t n_ctx, int n_threads);
    QueryReader(QueryReader&&) = delete;

    /// As above, and the queries are taken.
    std::string prefill(std::span<const int32_t> tokens, const TakeQueries& take);

    Session& session() { return session_; }

private:
    bool see(ggml_tensor* tensor, bool ask);

    TakeQueries take_;
    std::vector<float> queries_;
    Session session_;
};

}  // namespace ech0
