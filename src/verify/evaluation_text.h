#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "ech0/session.h"
#include "runtime/walk.h"

namespace ech0 {

/// A text to judge models by.
struct EvaluationText {
    std::string name;    ///< its path, or "embedded"
    std::string sha256;  ///< of the bytes as they are in the file
    std::string content;
};

/// @param file  empty for the text that is part of the program
/// @throws FileError if it can't be read; UsageError if it is empty
EvaluationText load_evaluation_text(const std::filesystem::path& file);

/// The text as llama-perplexity feeds it: one newline at the end taken off, tokenized as a whole with the special
/// tokens that the model wants and none read from the text, cut into chunks of n_ctx tokens, what is left over dropped;
/// each chunk begins with BOS in place of its first token, if the tokenizer adds one to texts.
/// @param n_chunks  at most so many; 0 = all
/// @throws UsageError if the text has fewer tokens than one chunk
Chunks evaluation_chunks(const Session& session, const EvaluationText& text, int64_t n_ctx, int64_t n_chunks);

}  // namespace ech0
