// A llama of any size with random half-precision weights and a working tokenizer: for memory and speed, never for
// quality.
//
//   make_random_model OUT.gguf N_LAYER N_EMBD N_FF

#include <cstdio>
#include <cstdlib>

#include "support/tiny_model.h"

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: make_random_model OUT.gguf N_LAYER N_EMBD N_FF\n", stderr);
        return 2;
    }
    ech0::TinyModel model;
    model.n_layer = std::atoll(argv[2]);
    model.n_embd = std::atoll(argv[3]);
    model.n_ff = std::atoll(argv[4]);
    model.n_embd_head = 64;
    model.n_head = model.n_embd / 64;
    model.n_head_kv = model.n_head / 4;
    model.n_ctx_train = 2048;
    model.type = GGML_TYPE_F16;
    ech0::write_tiny_model(model, argv[1]);
    return 0;
}
