#pragma once

#include <random>

#include "runtime/walk.h"

namespace ech0 {

/// Three sequences of 20 tokens of a vocabulary.
inline Chunks some_chunks(int64_t n_vocab) {
    Chunks chunks(3);
    for (size_t c = 0; c < 3; c++)
        for (int i = 0; i < 20; i++)
            chunks[c].push_back(static_cast<int32_t>((static_cast<int64_t>(c) * 131 + 17 * i) % n_vocab));
    return chunks;
}

/// Sequences of random tokens; the same seed gives the same ones.
inline Chunks random_chunks(int64_t n_vocab, int64_t n_chunks, int64_t n_tokens, unsigned seed) {
    std::mt19937 random(seed);
    Chunks chunks(static_cast<size_t>(n_chunks));
    for (auto& chunk : chunks)
        for (int64_t i = 0; i < n_tokens; i++)
            chunk.push_back(static_cast<int32_t>(random() % static_cast<unsigned>(n_vocab)));
    return chunks;
}

}  // namespace ech0
