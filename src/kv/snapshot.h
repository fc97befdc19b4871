#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "ech0/progress.h"
#include "ech0/session.h"
#include "kv/ekv.h"
#include "kv/state.h"

// A session's cache in an .ekv file, and with it the tokens that it is of: llama.cpp's file of one sequence, which
// `ech0 kv unpack` gives back. The numbers are stored as they are, in blocks that are checked: to pack them (pack.h)
// saves a fifth of the bytes, but to unpack 8 MB takes a second of one core, in which a small model may read as many
// tokens again; stored ones are back many times sooner (bench/results/sessions.csv).
namespace ech0 {

/// What a cache belongs to. One of another kind can't be put back, or would be another model's memory.
struct CacheKind {
    std::string model_name, model_sha256;
    std::string type_k, type_v;  ///< ggml type names
};

/// @throws whatever reading the model's file throws; its hash is remembered
CacheKind cache_kind(const Model& model, const SessionOptions& options, const Progress& progress = {});

struct SnapshotOptions {
    std::string conversation;             ///< see Ekv
    std::function<void()> before_naming;  ///< see KvPackOptions
};

/// @param tokens  what the session has in its context
/// @throws UsageError if that is nothing; FormatError if the memory of this architecture can't be packed; FileError; as
/// Session::state
Ekv save_snapshot(const Session& session, std::span<const int32_t> tokens, const CacheKind& kind,
                  const std::filesystem::path& target, const SnapshotOptions& options);

/// An .ekv that save_snapshot or `ech0 kv pack` wrote. Its index is read, and its blocks when they are asked for.
class Snapshot {
public:
    /// @throws FileError; FormatError if it is damaged, or no cache with its tokens
    explicit Snapshot(const std::filesystem::path& file);

    const Ekv& ekv() const { return ekv_; }
    const std::vector<int32_t>& tokens() const { return tokens_; }
    std::string type_k() const;  ///< ggml type name; "" if it has none
    std::string type_v() const;

    /// @throws UsageError if it is of another model or quantization, or does not say of which
    void require_model(const CacheKind& kind) const;
    /// Why its cache can't be put into such a context, though it is this model's: "" if it can.
    std::string obstacle(const CacheKind& kind, int64_t n_ctx) const;
    /// The cache as Session::restore takes it.
    /// @throws FormatError naming the block that is damaged; Interrupted
    std::string cache(int n_threads) const;

private:
    std::string name_;
    MappedFile file_;
    Ekv ekv_;
    KvState state_;
    std::vector<int32_t> tokens_;
};

}  // namespace ech0
