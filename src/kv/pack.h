#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "ech0/progress.h"
#include "kv/ekv.h"
#include "kv/profile.h"

// A cache into an .ekv and back (ekv.h), without loss (row_block.h) or with a measured one (lossy.h).
namespace ech0 {

/// What reading on with another cache gives, against the original one.
struct KvDivergence {
    double kl_divergence = 0;  ///< mean, nats per token
    int64_t n_tokens = 0;      ///< of that mean
    int64_t n_same_top1 = 0;   ///< of these, where both favour the same
    int64_t n_greedy_equal = 0, n_greedy = 0;
};

/// How much loss is wanted; exactly one of kl and ratio is set.
struct KvLossWish {
    const KvProfile* profile = nullptr;
    std::string profile_bytes;  ///< put into the file, so that it can be unpacked anywhere; empty: it only names it
    double kl_divergence = 0;   ///< at most this
    double ratio = 0;           ///< at least this, the whole file counted
    /// Of a state's bytes; may be empty with `ratio`, then nothing is measured.
    std::function<KvDivergence(std::span<const uint8_t> state)> measure;
};

struct KvPackOptions {
    std::string model_name, model_sha256;  ///< empty: unknown
    std::string conversation;              ///< see Ekv
    const KvLossWish* loss = nullptr;      ///< nullptr: without
    bool stored = false;                   ///< numbers as they are: back many times sooner than packed ones
    bool check = true;  ///< unpack each block again and compare, before the file gets its name (without loss only)
    std::function<void()> before_naming;  ///< called when all is written; a throw leaves no file
    int n_threads = 0;
    Progress progress;
};

/// Pack a state of llama.cpp.
/// @param bytes  the whole state; @param name  for errors
/// @throws FormatError if it is none; UsageError if the loss can't be had; FileError
Ekv pack_state(std::span<const uint8_t> bytes, std::string_view name, const std::filesystem::path& target,
               const KvPackOptions& options);

/// Pack rows of numbers that are nothing more.
/// @param type  ggml_type; @param n_columns  numbers in a row
/// @throws UsageError if they are no whole rows; FileError
Ekv pack_plain_rows(std::span<const uint8_t> bytes, int32_t type, int64_t n_columns,
                    const std::filesystem::path& target, const KvPackOptions& options);

struct KvUnpackOptions {
    std::string model_sha256;  ///< of the model the cache must be of; empty: any
    /// Finds the profile of this hash; needed for a lossy file that does not carry its own.
    std::function<KvProfile(const Ekv& ekv)> find_profile;
    int n_threads = 0;
    Progress progress;
};

/// Gets what was packed, piece by piece in its order.
using KvSink = std::function<void(std::span<const uint8_t>)>;

/// @param file  the whole .ekv; @param ekv  its index
/// @throws FormatError naming the block that is damaged; UsageError for another model's, or without its profile
void unpack(std::span<const uint8_t> file, const Ekv& ekv, std::string_view name, const KvUnpackOptions& options,
            const KvSink& sink);

/// Names of an .ekv's blocks, in order: "K of layer 3", for errors and reports.
/// @throws FormatError if the blocks are not those of its content
std::vector<std::string> block_names(const Ekv& ekv, std::string_view name);

}  // namespace ech0
