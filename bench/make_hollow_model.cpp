// A model of a published shape whose weights are all zero, in one type: true in memory and speed, for a few KB of disk.
//
//   make_hollow_model BLUEPRINT TYPE OUT.gguf        make_hollow_model qwen2.5:32b Q4_K hollow-32b.gguf

#include <cstdio>

#include "ech0/error.h"
#include "model/blueprint.h"
#include "runtime/ggml_types.h"

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: make_hollow_model BLUEPRINT TYPE OUT.gguf\n", stderr);
        return 2;
    }
    const ech0::Blueprint* const blueprint = ech0::find_blueprint(argv[1]);
    if (blueprint == nullptr) {
        std::fprintf(stderr, "no blueprint %s\n", argv[1]);
        return 2;
    }
    try {
        ech0::write_hollow_model(*blueprint, ech0::type_by_name(argv[2]), argv[3]);
    } catch (const ech0::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
    return 0;
}
