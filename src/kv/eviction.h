#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ech0/session.h"
#include "kv/profile.h"

namespace ech0 {

/// Which tokens of a long context stay when not all can.
enum class KeepPolicy {
    recent,    ///< the first ones (sinks) and the last ones: Xiao et al. 2024, "StreamingLLM"
    expected,  ///< half of them so, the others by the attention that the model's usual queries will pay to them
               ///< (attention.h), with their neighbours (Li et al. 2024, "SnapKV": the largest of seven)
};

std::string_view keep_policy_name(KeepPolicy policy);

struct KeepOptions {
    int64_t n_keep = 0;  ///< tokens that stay
    KeepPolicy policy = KeepPolicy::expected;
    int n_threads = 0;
};

/// Which of the tokens stay, as indices in their order.
/// @param scores  what each is worth; for KeepPolicy::recent it may be empty
/// @throws UsageError if n_keep has no room for the sinks and as many more
std::vector<int64_t> tokens_to_keep(int64_t n_tokens, const std::vector<float>& scores, const KeepOptions& options);

/// Take the others out of the session's cache (Session::forget). Positions stay as they are, so the session can go
/// on as if nothing had happened; it only does not see those tokens any more.
/// @return tokens that are left
/// @throws UsageError for caches that have no profile (lossy.h) or options as above; EngineError if the engine refuses
int64_t keep_in_cache(Session& session, const KvProfile& profile, const KeepOptions& options);

}  // namespace ech0
