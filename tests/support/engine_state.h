#pragma once

#include <cstdint>
#include <string>

#include <ggml.h>

#include "support/tiny_model.h"

namespace ech0 {

/// Where a state comes from: a tiny model that the engine runs over a few tokens.
struct EngineStateOptions {
    TinyModel model;
    ggml_type type_k = GGML_TYPE_F16, type_v = GGML_TYPE_F16;
    bool flash_attention = true;  ///< without it V is transposed
    int n_tokens = 24;            ///< of each sequence
    int n_sequences = 1;
    bool unified = true;  ///< sequences share one stream
    int n_ctx = 256;
};

/// The bytes that the engine's own calls wrote of one and the same memory.
struct EngineState {
    std::string session;   ///< llama_state_save_file
    std::string sequence;  ///< llama_state_seq_save_file, of the last sequence
    std::string buffer;    ///< llama_state_seq_get_data, of the last sequence
};

EngineState make_engine_state(const EngineStateOptions& options);

/// Does the engine take it back, into a fresh context, and then write the same bytes of the sequence?
bool engine_restores_sequence(const EngineStateOptions& options, const std::string& sequence);

}  // namespace ech0
