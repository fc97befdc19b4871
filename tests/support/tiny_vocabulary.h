#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ech0 {

/// A small tokenizer: every byte has a token, common words have some of their own.
struct TinyVocabulary {
    std::string model, pre;  ///< tokenizer.ggml.model, .pre
    std::vector<std::string> tokens;
    std::vector<int32_t> types;       ///< 1 normal, 2 unknown, 3 control, 6 byte (llama_token_type)
    std::vector<float> scores;        ///< SentencePiece only
    std::vector<std::string> merges;  ///< BPE only
    uint32_t bos = 0, eos = 0;
    bool add_bos = false;
    std::string chat_template;
};

TinyVocabulary make_bpe_vocabulary(const std::string& pre);
TinyVocabulary make_sentencepiece_vocabulary();

}  // namespace ech0
