#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ech0/progress.h"
#include "ech0/session.h"
#include "kv/pack.h"
#include "kv/state.h"

namespace ech0 {

/// How a model reads on from a cache, to be compared with how it reads on from one that is not quite the same. The text
/// that follows a cache is not known, so the model writes it itself: 256 tokens drawn from its own distribution
/// (temperature 1, a fixed seed), and the 64 that it would choose greedily. It begins with the cache's last token, read
/// once more; with a new line where the file does not tell its tokens one by one.
class Continuation {
public:
    /// Run the model on from the original cache.
    /// @param weights  whose model the cache is of
    /// @param state  must outlive this too; @param bytes  all of it
    /// @throws UsageError if it has several sequences, or K and V of different types
    Continuation(const Session& weights, const KvState& state, std::span<const uint8_t> bytes, std::string_view name,
                 int n_threads);

    /// The same from other numbers in the same state.
    KvDivergence compare(std::span<const uint8_t> bytes);

private:
    void restore(std::span<const uint8_t> bytes);
    void write_path();
    std::vector<int32_t> favourites();

    const KvState& state_;
    std::string name_;
    int n_threads_;
    bool again_;         ///< the last token is read once more
    int32_t first_ = 0;  ///< what is read first
    Session context_;
    std::vector<int32_t> path_, greedy_;  ///< path_ begins with first_
    std::vector<float> logits_;           ///< of path_, [n, n_vocab]
};

}  // namespace ech0
