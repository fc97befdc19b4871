// A model of any size with random weights and a working tokenizer: for memory and speed, never for quality.
//
//   make_random_model OUT.gguf N_LAYER N_EMBD N_FF         a llama in half precision
//   make_random_model OUT.gguf BLUEPRINT TYPE [N_LAYER]    the shape of a published model, as mistral:7b F16; all its
//                                                          layers have the same weights

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "model/blueprint.h"
#include "runtime/ggml_types.h"
#include "support/tiny_model.h"

namespace {

ech0::TinyModel llama_of(char** numbers) {
    ech0::TinyModel model;
    model.n_layer = std::atoll(numbers[0]);
    model.n_embd = std::atoll(numbers[1]);
    model.n_ff = std::atoll(numbers[2]);
    model.n_embd_head = 64;
    model.n_head = model.n_embd / 64;
    model.n_head_kv = model.n_head / 4;
    model.n_ctx_train = 2048;
    model.type = GGML_TYPE_F16;
    return model;
}

ech0::TinyModel shaped_like(const ech0::Blueprint& b, const char* type) {
    ech0::TinyModel model;
    model.architecture = b.architecture;
    model.n_layer = b.n_layer;
    model.n_embd = b.n_embd;
    model.n_ff = b.n_expert > 0 ? b.n_ff_expert : b.n_ff;
    model.n_head = b.n_head;
    model.n_head_kv = b.n_head_kv;
    model.n_embd_head = b.n_embd_head;
    model.n_expert = b.n_expert;
    model.n_expert_used = b.n_expert_used;
    model.n_ctx_train = b.n_ctx_train;
    model.n_vocab = b.n_vocab;
    model.tied = b.tied_embeddings;
    model.type = ech0::type_by_name(type);
    model.same_layers = true;
    return model;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const ech0::Blueprint* const blueprint = argc == 4 || argc == 5 ? ech0::find_blueprint(argv[2]) : nullptr;
        if (blueprint == nullptr && argc != 5) {
            std::fputs("usage: make_random_model OUT.gguf N_LAYER N_EMBD N_FF | BLUEPRINT TYPE [N_LAYER]\n", stderr);
            return 2;
        }
        ech0::TinyModel model = blueprint != nullptr ? shaped_like(*blueprint, argv[3]) : llama_of(argv + 2);
        if (blueprint != nullptr && argc == 5) model.n_layer = std::atoll(argv[4]);
        ech0::write_tiny_model(model, argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
    return 0;
}
