#include "kv/prefill.h"

#include <ggml-backend.h>

#include <cstdlib>
#include <string_view>

namespace ech0 {

std::string prefill(Session& session, std::span<const int32_t> tokens) {
    session.truncate(0);
    session.decode(tokens, std::ssize(tokens));
    return session.state();
}

QueryReader::QueryReader(const Session& weights, int64_t n_ctx, int n_threads)
    : session_(weights, {.n_ctx = n_ctx, .n_threads = n_threads, .on_eval = [this](ggml_tensor* tensor, bool ask) {
                             return see(tensor, ask);
                         }}) {}

std::string QueryReader::prefill(std::span<const int32_t> tokens, const TakeQueries& take) {
    take_ = take;
    std::string cache = ech0::prefill(session_, tokens);
    take_ = {};
    return cache;
}

// The engine names the queries Qcur-LAYER, before and after they are turned.
bool QueryReader::see(ggml_tensor* tensor, bool ask) {
    if (!take_) return false;
    constexpr std::string_view name = "Qcur-";
    const bool wanted = tensor->op == GGML_OP_ROPE && std::string_view(tensor->name).starts_with(name);
    if (ask || !wanted) return ask ? wanted : true;
    queries_.resize(static_cast<size_t>(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, queries_.data(), 0, ggml_nbytes(tensor));
    take_(std::atoi(tensor->name + name.size()), session_.n_past(), queries_.data(), tensor->ne[2]);
    return true;
}

}  // namespace ech0
