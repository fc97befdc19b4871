#include "support/engine_state.h"

#include <stdexcept>
#include <vector>

#include <llama-cpp.h>

#include "base/file.h"
#include "runtime/engine.h"
#include "support/temporary_folder.h"

namespace ech0 {
namespace {

struct Engine {
    TemporaryFolder folder;
    llama_model_ptr model;
    llama_context_ptr ctx;

    explicit Engine(const EngineStateOptions& options) {
        start_engine();
        write_tiny_model(options.model, folder / "m.gguf");
        model.reset(llama_model_load_from_file((folder / "m.gguf").c_str(), llama_model_default_params()));
        llama_context_params params = llama_context_default_params();
        params.n_ctx = static_cast<uint32_t>(options.n_ctx);
        params.n_seq_max = static_cast<uint32_t>(options.n_sequences);
        params.kv_unified = options.unified;
        params.n_threads = params.n_threads_batch = 1;
        params.type_k = options.type_k;
        params.type_v = options.type_v;
        params.flash_attn_type =
            options.flash_attention ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.swa_full = false;
        ctx.reset(llama_init_from_model(model.get(), params));
        if (!ctx) throw std::runtime_error("no context: " + last_engine_message());
    }
};

std::vector<llama_token> some_tokens(int n, int sequence) {
    std::vector<llama_token> tokens;
    for (int i = 0; i < n; i++) tokens.push_back(5 + (i * 7 + i * i % 11 + sequence * 31) % 90);
    return tokens;
}

void read_tokens(Engine& engine, const std::vector<llama_token>& tokens, int sequence) {
    const auto n = static_cast<int32_t>(tokens.size());
    llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int32_t i = 0; i < n; i++) {
        batch.token[i] = tokens[static_cast<size_t>(i)];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = sequence;
        batch.logits[i] = i == n - 1;
    }
    const int32_t code = llama_decode(engine.ctx.get(), batch);
    llama_batch_free(batch);
    if (code != 0) throw std::runtime_error("decode: " + last_engine_message());
}

std::string sequence_buffer(Engine& engine, int sequence) {
    std::string bytes(llama_state_seq_get_size(engine.ctx.get(), sequence), '\0');
    bytes.resize(
        llama_state_seq_get_data(engine.ctx.get(), reinterpret_cast<uint8_t*>(bytes.data()), bytes.size(), sequence));
    return bytes;
}

}  // namespace

EngineState make_engine_state(const EngineStateOptions& options) {
    Engine engine(options);
    const int last = options.n_sequences - 1;
    std::vector<llama_token> tokens;
    for (int i = 0; i <= last; i++) read_tokens(engine, tokens = some_tokens(options.n_tokens, i), i);
    const std::string session = (engine.folder / "session").string(), sequence = (engine.folder / "sequence").string();
    if (!llama_state_save_file(engine.ctx.get(), session.c_str(), tokens.data(), tokens.size()) ||
        llama_state_seq_save_file(engine.ctx.get(), sequence.c_str(), last, tokens.data(), tokens.size()) == 0)
        throw std::runtime_error("save: " + last_engine_message());
    return {read_file(session), read_file(sequence), sequence_buffer(engine, last)};
}

bool engine_restores_sequence(const EngineStateOptions& options, const std::string& sequence) {
    Engine engine(options);
    const std::string file = (engine.folder / "in").string(), again = (engine.folder / "out").string();
    write_file(file, sequence);
    std::vector<llama_token> tokens(static_cast<size_t>(options.n_ctx));
    size_t n_tokens = 0;
    const int last = options.n_sequences - 1;
    if (llama_state_seq_load_file(engine.ctx.get(), file.c_str(), last, tokens.data(), tokens.size(), &n_tokens) == 0)
        return false;
    llama_state_seq_save_file(engine.ctx.get(), again.c_str(), last, tokens.data(), n_tokens);
    return read_file(again) == sequence;
}

}  // namespace ech0
