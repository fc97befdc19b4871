#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "kv/snapshot.h"

// A folder of caches that many talks share, also several programs at a time. Each .ekv in it holds the cache of some
// tokens; a prompt that begins with the same tokens needn't read them again. There is no index but the files.
//
// Which file helps is found as vLLM finds the blocks that prompts share (docs.vllm.ai, "Automatic Prefix Caching"): the
// tokens are cut into blocks of 256, each block's hash is taken of the hash before it and the block's tokens, so equal
// hashes mean equal beginnings. Hash 0 is of the model's SHA-256, the cache's types and the engine. Of the files that
// share the longest chain the tokens themselves are compared.
namespace ech0 {

/// An exclusive lock on a file beside others, which lasts as long as the object.
class FolderLock {
public:
    /// Wait for it, at most this long.
    /// @throws FileError if it can't be had; Interrupted
    FolderLock(const std::filesystem::path& folder, double wait_s);
    ~FolderLock();
    FolderLock(FolderLock&& other) noexcept;
    FolderLock& operator=(FolderLock&&) = delete;

private:
    int fd_ = -1;
};

class SessionFolder {
public:
    static constexpr int64_t block_tokens = 256;

    struct Options {
        std::filesystem::path folder;
        int64_t limit_bytes = 0;  ///< of the files that it wrote itself
        double wait_s = 2;        ///< for another program that writes now
        /// The model's cache is good for no less than all tokens of a file (a sliding window lets go of the rest).
        bool whole_only = false;
        std::function<void(std::string_view)> note = {};  ///< gets a line about a file that is skipped, each once
    };

    /// What is stored of a prompt.
    struct Found {
        std::filesystem::path file;
        int64_t n_shared = 0;  ///< tokens of the prompt that it has
        int64_t n_tokens = 0;  ///< that it has in all
    };

    /// Writes the cache to `target`, and calls `before_naming` when all is written but the name.
    using Write = std::function<void(const std::filesystem::path& target, const std::function<void()>& before_naming)>;

    /// Makes the folder, takes parts away that a killed program left, and reads the files' indexes.
    /// @throws FileError if the folder can't be made or read
    SessionFolder(CacheKind kind, Options options);
    ~SessionFolder();
    SessionFolder(const SessionFolder&) = delete;
    SessionFolder& operator=(const SessionFolder&) = delete;

    /// Look again: others write here too.
    void refresh();

    /// The file with the longest beginning of the prompt, one block at least. The last token of a prompt is to be read
    /// in any case and doesn't count.
    /// @param most_tokens  that a file may have
    std::optional<Found> find(std::span<const int32_t> prompt, int64_t most_tokens) const;

    /// The last talk that was written here by this model.
    std::optional<std::filesystem::path> last_talk() const;

    /// Keep this file from eviction as long as it is in use here; the one before is let go. It counts as used now.
    /// @return false if it is gone
    bool use(const std::filesystem::path& file);

    /// Store a cache of these tokens, after the least recently used files made room for it. A file that this one goes
    /// on from, and is not much longer than, is removed.
    /// @param is_talk  write it even if a cache of the same tokens is there that is no talk
    /// @throws FileError if another program keeps the folder locked, or there is no room; whatever `write` throws
    void store(std::span<const int32_t> tokens, bool is_talk, const Write& write);

    /// What the file of these tokens is called.
    std::string file_name(std::span<const int32_t> tokens) const;
    const std::filesystem::path& folder() const { return options_.folder; }
    int64_t size_bytes() const;  ///< of the files that count for the limit

private:
    struct Stamp {
        int64_t size_bytes = 0, used_ns = 0;
        uint64_t inode = 0;

        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    struct Entry {
        Stamp stamp;
        std::vector<int32_t> tokens;  // none: damaged, or of another kind
        std::vector<std::string> chain;
        bool is_talk = false;
        int64_t created_s = 0;
    };

    std::vector<std::string> chain_of(std::span<const int32_t> tokens) const;
    Entry read_entry(const std::filesystem::path& file, const Stamp& stamp) const;
    int64_t usable_tokens(const Entry& entry, std::span<const int32_t> prompt) const;
    void make_room(int64_t new_bytes, const std::string& but);
    void remove_superseded(const std::string& name, std::span<const int32_t> tokens);
    void remove_parts() const;
    void say(std::string_view line) const;

    CacheKind kind_;
    Options options_;
    std::map<std::string, Entry> entries_;  // by file name
    mutable std::set<std::string> said_;
    int in_use_ = -1;  // shared lock on the file in use
};

}  // namespace ech0
