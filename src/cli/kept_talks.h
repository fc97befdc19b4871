#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "cli/answering.h"
#include "kv/session_folder.h"

namespace ech0 {

struct KeptTalksOptions {
    std::string folder;                   ///< --session-dir; empty: nothing is kept
    int64_t limit_bytes = 5'000'000'000;  ///< --session-limit
};

/// What chat keeps in a folder of sessions (session_folder.h), and takes from there. Trouble with the folder is said on
/// stderr, once, and the talk goes on. Without a folder nothing is done.
class KeptTalks {
public:
    explicit KeptTalks(KeptTalksOptions options) : options_(std::move(options)) {}
    KeptTalks(const KeptTalks&) = delete;
    KeptTalks& operator=(const KeptTalks&) = delete;

    /// From now on the prompts of this conversation are looked for. The last one that was attached counts.
    /// @throws FileError if the folder can't be made or read; whatever hashing the model's file throws
    void attach(Answering& answering);

    /// Go on with a kept talk. @param name  a file, or one in the folder, with or without .ekv; "": the last one
    /// @return what was done, for the person; @throws UsageError if there is none; as load_talk
    std::string resume(Answering& answering, const std::string& name);

    /// Store what was read if enough of it is new. @param is_talk  with the messages, for `resume`
    void after_answer(Answering& answering, bool is_talk);

    /// The talk ends: store it, with its messages, if something was said since.
    void finish(Answering& answering);

private:
    std::optional<std::vector<int32_t>> find(Session& session, std::span<const int32_t> prompt, int64_t n_reused);
    std::optional<std::vector<int32_t>> restore(Session& session, const SessionFolder::Found& found);
    void store(Answering& answering, bool is_talk);
    std::filesystem::path file_of(const std::string& name) const;
    void warn(const std::string& line);

    KeptTalksOptions options_;
    CacheKind kind_;
    int n_threads_ = 0;
    std::optional<SessionFolder> folder_;
    std::set<std::string> said_;
    bool is_new_ = false;  // something was said since the talk was stored
};

}  // namespace ech0
