// Does llama.cpp survive this file? Loads it, tokenizes and decodes a sentence as ech0 would, and exits with 0, or with
// 1 where the engine refuses in order. What a test looks for is death by a signal.
//
//   engine_probe FILE.gguf

#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include <llama-cpp.h>

namespace {

int decode_sentence(const llama_model* model) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 128;
    params.n_batch = params.n_ubatch = 64;
    params.n_threads = params.n_threads_batch = 1;
    const llama_context_ptr context(llama_init_from_model(const_cast<llama_model*>(model), params));
    if (!context) return 1;
    const std::string_view text = "The people in the house said that it was time.";
    std::vector<llama_token> tokens(64);
    const int32_t n = llama_tokenize(llama_model_get_vocab(model), text.data(), static_cast<int32_t>(text.size()),
                                     tokens.data(), static_cast<int32_t>(tokens.size()), true, true);
    if (n <= 0) return 1;
    return llama_decode(context.get(), llama_batch_get_one(tokens.data(), n)) == 0 ? 0 : 1;
}

}  // namespace

int main(int, char** argv) try {
    llama_log_set(
        [](ggml_log_level level, const char* text, void*) {
            if (level >= GGML_LOG_LEVEL_WARN) std::fputs(text, stderr);
        },
        nullptr);
    llama_backend_init();
    const llama_model_ptr model(llama_model_load_from_file(argv[1], llama_model_default_params()));
    return model ? decode_sentence(model.get()) : 1;
} catch (const std::exception& error) {
    // llama_tokenize lets std::out_of_range through when a SentencePiece vocabulary has no token for a byte.
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
