#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/run_options.h"
#include "kv/snapshot.h"
#include "runtime/conversation.h"

namespace ech0 {

/// A model that is loaded, and the talk with it.
struct Answering {
    Model model;
    PlannedRun run;
    SessionOptions session_options;
    std::unique_ptr<Session> session;
    std::unique_ptr<Conversation> conversation;

    std::optional<CacheKind> kind;  ///< once somebody asked for it

    /// @throws whatever reading, planning and loading throw
    Answering(const std::string& name, const RunOptions& options, const Config& config,
              const ConversationOptions& conversation_options);

    /// What caches of this talk are of; the first time the model's file is hashed, which may take a minute.
    const CacheKind& cache_kind();
};

/// How thoughts of a reasoning model are shown.
enum class Thoughts { folded, shown, hidden };

/// The answer on stdout as it comes, with one newline behind it; thoughts on stderr.
Answer print_answer(Conversation& conversation, std::string_view prompt, Thoughts thoughts);

}  // namespace ech0
