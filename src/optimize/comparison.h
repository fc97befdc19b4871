#pragma once

#include <cstdint>
#include <string>

#include "ech0/model.h"

namespace ech0 {

/// One question, and what the original and the candidate say to it.
struct Comparison {
    std::string prompt;
    std::string original, candidate;
};

/// Both answers at temperature 0, in the words of each file's own template, at most `n_tokens` tokens long.
/// @throws UsageError if a file has no chat template; EngineError; Interrupted
Comparison compare_answers(const Model& original, const Model& candidate, const std::string& prompt, int64_t n_tokens,
                           int n_threads);

}  // namespace ech0
