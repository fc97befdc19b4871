#pragma once

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

}  // namespace ech0
