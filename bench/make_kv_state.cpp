// A state of a real model over real text, as llama.cpp writes it: what the benchmarks of .ekv pack.
//
//   make_kv_state MODEL TEXT OFFSET N_TOKENS TYPE OUT     TYPE of the cache: f16, q8_0, …

#include <cstdlib>
#include <iostream>

#include "base/file.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "kv/prefill.h"
#include "kv/state.h"

namespace ech0 {
namespace {

void make(char** argv) {
    const int64_t n = std::atoll(argv[4]);
    SessionOptions options;
    options.n_ctx = 2;
    options.mapped = true;
    Session session(read_model(argv[1]), options);
    const std::string text =
        read_file(argv[2]).substr(static_cast<size_t>(std::atoll(argv[3])), static_cast<size_t>((n + 400) * 8));
    std::vector<int32_t> tokens = session.tokenize(text, true, false);
    if (static_cast<int64_t>(tokens.size()) < n)
        throw UsageError("the text has only " + std::to_string(tokens.size()) + " tokens from there");
    tokens.resize(static_cast<size_t>(n));
    Session context(session, {.n_ctx = n, .n_threads = 1, .type_k = argv[5], .type_v = argv[5]});
    write_file(argv[6], as_sequence_state(prefill(context, tokens), tokens));
}

}  // namespace
}  // namespace ech0

int main(int argc, char** argv) {
    try {
        if (argc != 7) throw ech0::UsageError("make_kv_state MODEL TEXT OFFSET N_TOKENS TYPE OUT");
        ech0::make(argv);
    } catch (const std::exception& e) {
        std::cerr << "make_kv_state: " << e.what() << "\n";
        return 2;
    }
}
