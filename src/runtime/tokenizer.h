#pragma once

#include <llama-cpp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// Text to tokens with a vocabulary that is loaded already.
/// @throws UsageError if the file has no tokenizer
std::vector<int32_t> tokenize(const llama_vocab* vocab, std::string_view text, bool add_special, bool parse_special);

/// A model's vocabulary alone: its weights stay on disk.
class Tokenizer {
public:
    /// @throws EngineError if the engine refuses the file
    explicit Tokenizer(const Model& model);

    std::vector<int32_t> tokens(std::string_view text) const { return tokenize(vocab(), text, false, false); }
    /// The bytes that tokens stand for.
    std::string text(const std::vector<int32_t>& tokens) const;
    bool adds_bos() const { return llama_vocab_get_add_bos(vocab()); }
    int32_t bos() const { return llama_vocab_bos(vocab()); }

private:
    const llama_vocab* vocab() const { return llama_model_get_vocab(model_.get()); }
    llama_model_ptr model_;
};

}  // namespace ech0
