#include "runtime/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {

namespace {

/// llama_tokenize looks tokens up with std::map::at: a SentencePiece vocabulary without its byte tokens lets that
/// exception out of the C API.
int32_t tokenize_into(std::vector<int32_t>& tokens, const llama_vocab* vocab, std::string_view text, bool add_special,
                      bool parse_special) {
    try {
        return llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                              static_cast<int32_t>(tokens.size()), add_special, parse_special);
    } catch (const std::out_of_range&) {
        throw FormatError(
            "the file's vocabulary lacks tokens that its kind must have (one for each byte): it can't read this text");
    }
}

}  // namespace

std::vector<int32_t> tokenize(const llama_vocab* vocab, std::string_view text, bool add_special, bool parse_special) {
    if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE)
        throw UsageError("this file has no tokenizer (tokenizer.ggml.model is no_vocab): it can't read text");
    if (text.size() > INT32_MAX / 2)
        throw UsageError(fmt::format("text of {} bytes: at most {} at a time", text.size(), INT32_MAX / 2));
    std::vector<int32_t> tokens(text.size() + 8);
    int32_t n = tokenize_into(tokens, vocab, text, add_special, parse_special);
    if (n < 0) {  // more tokens than bytes: the engine says how many
        tokens.resize(static_cast<size_t>(-n));
        n = tokenize_into(tokens, vocab, text, add_special, parse_special);
    }
    if (n < 0) throw engine_error("tokenize the text");
    tokens.resize(static_cast<size_t>(n));
    return tokens;
}

Tokenizer::Tokenizer(const Model& model) {
    start_engine();
    clear_engine_message();
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    model_.reset(llama_model_load_from_file(model.files.front().string().c_str(), params));
    if (!model_) throw engine_error("load the vocabulary of " + model.files.front().string());
}

std::string Tokenizer::text(const std::vector<int32_t>& tokens) const {
    std::string bytes(tokens.size() * 8, '\0');
    const auto fill = [&] {
        return llama_detokenize(vocab(), tokens.data(), static_cast<int32_t>(tokens.size()), bytes.data(),
                                static_cast<int32_t>(bytes.size()), false, true);
    };
    int32_t n = fill();
    if (n < 0) {  // the engine says how many bytes they are
        bytes.resize(static_cast<size_t>(-n));
        n = fill();
    }
    bytes.resize(static_cast<size_t>(std::max(0, n)));
    return bytes;
}

}  // namespace ech0
