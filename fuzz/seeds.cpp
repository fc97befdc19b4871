// Writes FOLDER/HARNESS/…: small inputs of the right form, which a fuzzer changes from there.

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "ech0/calibration.h"
#include "kv/pack.h"
#include "support/engine_state.h"
#include "support/tiny_model.h"
#include "voice/wav.h"

using namespace ech0;
using namespace std::string_literals;

namespace {

void write_models(const std::filesystem::path& folder) {
    for (const char* architecture : {"llama", "deci", "qwen2", "qwen3", "gemma3", "qwen3moe"}) {
        TinyModel tiny;
        tiny.architecture = architecture;
        tiny.n_layer = 1, tiny.n_embd = 32, tiny.n_head = 2, tiny.n_head_kv = 1, tiny.n_ff = 32;
        tiny.type = GGML_TYPE_Q4_0;
        if (tiny.architecture == "qwen3moe") tiny.n_expert = 2, tiny.n_expert_used = 1;
        write_tiny_model(tiny, folder / (tiny.architecture + ".gguf"));
    }
}

void write_importance(const std::filesystem::path& folder) {
    Calibration calibration;
    calibration.n_ctx = 64;
    calibration.tensors = {{"blk.0.ffn_up.weight", 4, 1, {1, 2, 3, 4}, {7}}};
    write_imatrix(calibration, folder / "imatrix.gguf");
}

void write_texts(const std::filesystem::path& folder) {
    write_file(folder / "config" / "all.toml",
               "model = \"m.gguf\"\n[run]\nctx = 4096\nkv = \"q8_0\"\n[chat]\nsystem = \"Be brief.\"\n"
               "[serve]\nhost = \"127.0.0.1\"\nport = 8080\n[voice]\nenabled = true\n[ollama]\nkeep_alive = \"5m\"\n");
    const std::string digest = "sha256:" + std::string(64, 'a');
    const std::string layers =
        R"("layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": ")" + digest + R"("}])";
    write_file(folder / "manifest" / "plain", "{" + layers + "}");
    write_file(folder / "manifest" / "list", R"({"manifests": [{"runner": "ggml", )" + layers + "}]}");
    write_file(
        folder / "modelfile" / "texts",
        "/a b/m.gguf\0MIT\0{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\0"
        "You \"are\" kind."s);
}

// Small states of all layouts, and the .ekv of each.
void write_states(const std::filesystem::path& folder) {
    EngineStateOptions plain, transposed, quantized, windows;
    transposed.flash_attention = false;
    quantized.model.n_embd_head = 64;
    quantized.type_k = quantized.type_v = GGML_TYPE_Q8_0;
    windows.model.architecture = "gemma3";
    windows.model.n_layer = 6;  // each sixth sees everything; without one the engine keeps no such cache
    for (EngineStateOptions* options : {&plain, &transposed, &quantized, &windows}) {
        options->n_tokens = 4;
        const EngineState state = make_engine_state(*options);
        const std::string name =
            options->model.architecture + std::to_string(options->type_k) + (options->flash_attention ? "" : "t");
        write_file(folder / "kv_state" / (name + ".session"), state.session);
        write_file(folder / "kv_state" / (name + ".buffer"), state.buffer);
        const std::span bytes(reinterpret_cast<const uint8_t*>(state.sequence.data()), state.sequence.size());
        pack_state(bytes, name, folder / "ekv" / name, {});
    }
    const std::string rows(400, 'a');
    pack_plain_rows({reinterpret_cast<const uint8_t*>(rows.data()), rows.size()}, GGML_TYPE_F16, 20,
                    folder / "ekv" / "rows", {});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return std::fputs("usage: fuzz_seeds FOLDER\n", stderr), 2;
    const std::filesystem::path folder = argv[1];
    for (const char* name :
         {"gguf", "imatrix", "config", "manifest", "modelfile", "run_json", "wav", "ekv", "kv_state"})
        std::filesystem::create_directories(folder / name);
    write_models(folder / "gguf");
    write_importance(folder / "imatrix");
    write_texts(folder);
    write_states(folder);
    write_wav(folder / "wav" / "mono.wav", {8000, {0, 0.5F, -0.5F, 1}});
    return 0;
}
