#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/model.h"

namespace ech0 {

/// Which of llama.cpp's calls wrote it.
enum class KvStateKind {
    session,   ///< llama_state_save_file: all sequences, with the prompt's tokens and the architecture's name
    sequence,  ///< llama_state_seq_save_file, and a slot file of llama-server: one sequence, with its tokens
    buffer,    ///< llama_state_seq_get_data: one sequence in memory, no tokens
};

/// "session", "sequence", "buffer".
std::string_view kv_state_kind_name(KvStateKind kind);

/// A cell of the cache: a token's place, and the sequences that have it.
struct KvCell {
    int32_t pos = 0;
    int32_t x = 0, y = 0;   ///< place in an image; only if KvState::has_places
    int32_t first_seq = 0;  ///< its sequences: KvStream::seq_ids[first_seq … first_seq + n_seq)
    int32_t n_seq = 0;
};

/// K or V of one layer, all cells of one stream. Plain: [n_cells, n_elements], one row of `row_bytes` per cell.
/// Transposed (V without flash attention): [n_elements, n_cells], elements of `element_bytes`.
struct KvTensor {
    int32_t type = 0;           ///< ggml_type
    int64_t n_elements = 0;     ///< per cell: head size x KV heads
    int64_t row_bytes = 0;      ///< per cell, plain
    int64_t element_bytes = 0;  ///< transposed only
    bool transposed = false;
    int64_t offset_bytes = 0;  ///< where its data begin in the state
    int64_t size_bytes = 0;
};

/// What one sequence has in a cache of its own, or all sequences share in a unified one.
struct KvStream {
    std::vector<KvCell> cells;
    std::vector<int32_t> seq_ids;
    bool v_transposed = false;
    std::vector<KvTensor> k, v;  ///< by layer of this cache; v is empty where the model keeps no V (MLA)
};

/// Layers that remember alike. A model with sliding windows has two: layers that see everything, then the others.
struct KvCache {
    std::vector<KvStream> streams;
};

/// A state of llama.cpp: what is in it and where. The numbers of K and V stay in the bytes it was read from.
struct KvState {
    KvStateKind kind = KvStateKind::sequence;
    uint32_t version = 0;         ///< of the file; 0 in a buffer, which has none
    std::string architecture;     ///< session only, else empty
    int32_t seq_id = -1;          ///< buffer only
    std::vector<int32_t> tokens;  ///< as the writer packed them: llama-server puts more than tokens there (images)
    bool has_places = false;      ///< cells have x and y (M-RoPE)
    std::vector<KvCache> caches;
    int64_t size_bytes = 0;

    int64_t n_cells() const;     ///< in the first cache, all streams
    int64_t data_bytes() const;  ///< K and V alone
};

/// Read a state that llama.cpp 4df29be (session version 9, sequence version 2) wrote. It is hostile until shown
/// otherwise: every length is checked against the bytes that are left before it is used.
/// @param name  for errors
/// @throws FormatError naming the thing, the value found and the value wanted; memory of recurrent and hybrid models
///         (Mamba, RWKV, LFM2, …) and of DeepSeek V4 is refused by its name
KvState read_kv_state(std::span<const uint8_t> bytes, std::string_view name);

/// Is this a state of this model? Architecture, layers, and the widths of their K and V.
/// @throws UsageError naming what differs
void check_kv_state(const KvState& state, const Model& model, std::string_view name);

/// All tensors in file order; the state must outlive them.
std::vector<const KvTensor*> kv_tensors(const KvState& state);

/// Everything of a state but the numbers of K and V, in file order: counts, tokens, cells, types.
std::string kv_frame(const KvState& state);

/// What llama_state_seq_get_data wrote, as the file that llama_state_seq_save_file would have written with these
/// tokens.
/// @throws FormatError if it is no such buffer
std::string as_sequence_state(std::string_view buffer, std::span<const int32_t> tokens);

/// A state of one sequence as llama_state_seq_set_data takes it.
/// @param bytes  the whole state
/// @throws UsageError if it has several sequences
std::string as_buffer(const KvState& state, std::span<const uint8_t> bytes, std::string_view name);

/// The state that a frame belongs to, as if its data were there. The data's size is what the frame says and needs no
/// memory.
/// @param size_bytes  of the whole state
/// @throws FormatError as read_kv_state
KvState read_kv_frame(std::string_view frame, int64_t size_bytes, std::string_view name);

}  // namespace ech0
