#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

// Does the candidate still say what the original says? Both continue the same prompts, always taking the likeliest
// token, and we count how far they go together. One flipped token ends the common part, so this is the strictest of the
// measures: 0.5 over 64 tokens is common for a good 4-bit file of a small model.

using Tokens = std::vector<int32_t>;

/// Pieces of the text, spread evenly over it, to be continued.
/// @param n_tokens  in each prompt, besides BOS where the tokenizer adds one
std::vector<Tokens> pick_prompts(const Session& session, std::string_view text, int64_t n_prompts, int64_t n_tokens);

/// The likeliest continuation of each prompt, token by token, all prompts at once; shorter where the model ends its
/// text (the end token is kept).
/// @param each_step  called before every token
/// @throws EngineError; Interrupted
std::vector<Tokens> continue_greedily(Session& session, const std::vector<Tokens>& prompts, int64_t n_tokens,
                                      int n_threads, const std::function<void(int64_t step)>& each_step = {});

/// Length of the common beginning as a share of `original`, 0 … 1.
double common_prefix(const Tokens& original, const Tokens& candidate);

}  // namespace ech0
