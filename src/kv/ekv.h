#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

// The .ekv file: a cache, packed in blocks that can each be checked and unpacked alone. docs/ekv.md has the format byte
// by byte. Here is the container only: what is in the blocks is row_block.h's and lossy.h's.
namespace ech0 {

/// What a block's bytes are; 0 … 3 are RowCodec's.
enum class EkvCodec : uint8_t { stored = 0, repeated = 1, halves = 2, bytes = 3, lossy = 4, profile = 5 };

struct EkvBlock {
    EkvCodec codec = EkvCodec::stored;
    int64_t offset_bytes = 0;  ///< in the .ekv
    int64_t size_bytes = 0;
    std::string check;  ///< the first 16 bytes of their SHA-256
};

enum class EkvContent : uint8_t {
    state = 0,  ///< a state of llama.cpp
    rows = 1,   ///< rows of numbers and nothing else
};

/// How far from the original the numbers are, where they are not the same.
struct EkvLoss {
    int32_t step = 0;             ///< 16 log2 of the quantizer's
    std::string profile_sha256;   ///< of the profile it was packed with, which unpacking needs
    double kl_divergence = -1;    ///< of reading on, nats per token; negative: not measured
    int64_t n_measured = 0;       ///< tokens of that
    int64_t n_same_top1 = 0;      ///< of these, where both favour the same
    int64_t n_greedy_equal = -1;  ///< tokens of two greedy answers that are the same, of n_greedy
    int64_t n_greedy = 0;
};

/// What is in an .ekv, without the blocks' bytes.
struct Ekv {
    EkvContent content = EkvContent::state;
    int64_t content_bytes = 0;             ///< of what unpacking gives
    std::string content_sha256;            ///< likewise; empty with a loss, which machines may round differently
    std::string model_name, model_sha256;  ///< empty: no model was named
    std::string engine;                    ///< commit of the engine that ech0 was built with
    int64_t created_s = 0;                 ///< Unix time
    std::string conversation;              ///< of chat: its messages as JSON; else empty
    std::string frame;                     ///< of a state: all but the numbers (kv_frame)
    int32_t type = 0;                      ///< of rows: ggml_type
    int64_t n_columns = 0;                 ///< of rows
    std::optional<EkvLoss> loss;
    std::vector<EkvBlock> blocks;
    int64_t file_bytes = 0;

    double ratio() const { return static_cast<double>(content_bytes) / static_cast<double>(file_bytes); }
};

/// Bytes that an .ekv of so many blocks has besides their own.
int64_t ekv_overhead_bytes(Ekv ekv, size_t n_blocks);

/// Writes blocks as they come, then the index, then the head: a file that was not finished has none.
class EkvWriter {
public:
    explicit EkvWriter(const std::filesystem::path& target);

    /// @throws FileError
    void add(EkvCodec codec, std::string_view bytes);

    /// Give the file its name. @param ekv  all but `blocks` and `file_bytes`, which are filled in
    /// @throws FileError
    void finish(Ekv& ekv);

private:
    AtomicFile file_;
    std::vector<EkvBlock> blocks_;
};

/// Does it begin as an .ekv does? One that was not finished begins with zeros and counts too.
bool is_ekv(std::span<const uint8_t> file);

/// The index of an .ekv. It is hostile until shown otherwise.
/// @throws FormatError naming what is wrong: no .ekv, another version, cut off, damaged
Ekv read_ekv(std::span<const uint8_t> file, std::string_view name);

/// A block's bytes, checked.
/// @param what  for the error: "K of layer 3"
/// @throws FormatError if they are damaged
std::string_view ekv_block(std::span<const uint8_t> file, const Ekv& ekv, size_t i, std::string_view name,
                           std::string_view what);

}  // namespace ech0
