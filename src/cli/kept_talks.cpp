#include "cli/kept_talks.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/talk_file.h"
#include "ech0/error.h"
#include "report/chat.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// To read a file, check it and put its cache back costs less than reading a twentieth of its tokens on one core (bench/
// results/sessions.csv): ask for about that, and for some tokens.
constexpr int64_t least_gain = 64, file_tokens_per_gain = 16;

// To write a whole cache again for each answer would cost more than it saves: at least a block must be new, and an
// eighth of the whole, so that a growing talk is written a few times.
constexpr int64_t least_share_new = 8;

bool worth_restoring(const SessionFolder::Found& found, int64_t n_reused) {
    return found.n_shared - n_reused >= std::max(least_gain, found.n_tokens / file_tokens_per_gain);
}

bool worth_storing(int64_t n_tokens, int64_t n_stored) {
    return n_tokens - n_stored >= std::max(SessionFolder::block_tokens, n_tokens / least_share_new);
}

}  // namespace

void KeptTalks::warn(const std::string& line) {
    if (said_.insert(line).second) fmt::print(stderr, "ech0: {}\n", printable(line, 4000));
}

void KeptTalks::attach(Answering& answering) {
    is_new_ = false;
    folder_.reset();
    if (options_.folder.empty()) return;
    kind_ = answering.cache_kind();
    n_threads_ = answering.session_options.n_threads;
    SessionFolder::Options options;
    options.folder = options_.folder;
    options.limit_bytes = options_.limit_bytes;
    options.whole_only = answering.session->has_window();
    options.note = [this](std::string_view line) { warn(std::string(line)); };
    folder_.emplace(kind_, std::move(options));
    answering.conversation->set_find_cache([this](Session& session, std::span<const int32_t> prompt, int64_t n_reused) {
        return find(session, prompt, n_reused);
    });
}

std::optional<std::vector<int32_t>> KeptTalks::find(Session& session, std::span<const int32_t> prompt,
                                                    int64_t n_reused) {
    const auto start = std::chrono::steady_clock::now();
    try {
        folder_->refresh();
    } catch (const FileError& error) {
        warn(error.what());
        return std::nullopt;
    }
    const std::optional<SessionFolder::Found> found = folder_->find(prompt, session.n_ctx());
    if (!found || !worth_restoring(*found, n_reused) || !folder_->use(found->file)) return std::nullopt;
    std::optional<std::vector<int32_t>> tokens = restore(session, *found);
    if (tokens && !tokens->empty())
        fmt::print(stderr, "ech0: {} tokens restored from a session in {:.1f} s\n", format_count(found->n_shared),
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return tokens;
}

std::optional<std::vector<int32_t>> KeptTalks::restore(Session& session, const SessionFolder::Found& found) {
    try {
        const Snapshot snapshot(found.file);
        const std::string cache = snapshot.cache(n_threads_);
        session.restore({reinterpret_cast<const uint8_t*>(cache.data()), cache.size()});
        if (session.n_past() == static_cast<int64_t>(snapshot.tokens().size())) return snapshot.tokens();
        throw EngineError(fmt::format("{}: a cache up to position {}, of {} tokens", found.file.string(),
                                      session.n_past(), snapshot.tokens().size()));
    } catch (const EngineError& error) {  // the context is lost
        session.truncate(0);
        warn(fmt::format("{}; the prompt is read instead", error.what()));
        return std::vector<int32_t>{};
    } catch (const Error& error) {
        warn(fmt::format("{}; the prompt is read instead", error.what()));
        return std::nullopt;
    }
}

fs::path KeptTalks::file_of(const std::string& name) const {
    if (name.empty()) {
        if (!folder_) throw UsageError("--resume: which talk? Name its file, or the folder it is in by --session-dir");
        const std::optional<fs::path> last = folder_->last_talk();
        if (!last)
            throw UsageError(
                fmt::format("{}: no talk with this model and cache is kept there; leave out --resume to "
                            "begin one",
                            printable(options_.folder, 400)));
        return *last;
    }
    if (fs::exists(name) || !folder_) return name;
    for (const std::string& file : {name, name + ".ekv"})
        if (fs::exists(folder_->folder() / file)) return folder_->folder() / file;
    return name;
}

std::string KeptTalks::resume(Answering& answering, const std::string& name) {
    const fs::path file = file_of(name);
    std::string done = load_talk(answering, file.string());
    if (folder_ && file.parent_path() == folder_->folder()) folder_->use(file);
    return done;
}

void KeptTalks::store(Answering& answering, bool is_talk) {
    const Conversation& conversation = *answering.conversation;
    SnapshotOptions options;
    if (is_talk) options.conversation = json_text(conversation_json(answering.model, conversation.messages()));
    try {
        folder_->store(conversation.tokens(), is_talk,
                       [&](const fs::path& target, const std::function<void()>& before_naming) {
                           options.before_naming = before_naming;
                           save_snapshot(*answering.session, conversation.tokens(), kind_, target, options);
                       });
        is_new_ = is_new_ && !is_talk;
    } catch (const Error& error) {
        warn(fmt::format("this session is not kept: {}", error.what()));
    }
}

void KeptTalks::after_answer(Answering& answering, bool is_talk) {
    is_new_ = true;
    const Conversation& conversation = *answering.conversation;
    if (!folder_ || !conversation.is_exact()) return;
    const auto n_tokens = static_cast<int64_t>(conversation.tokens().size());
    const std::optional<SessionFolder::Found> found = folder_->find(conversation.tokens(), INT64_MAX);
    if (worth_storing(n_tokens, found ? found->n_shared : 0)) store(answering, is_talk);
}

void KeptTalks::finish(Answering& answering) {
    if (!folder_ || !is_new_ || answering.conversation->tokens().empty()) return;
    if (!answering.conversation->is_exact()) {
        const Session& session = *answering.session;
        const bool has_gaps = session.n_cells() < session.n_past();
        warn(
            fmt::format("this session is not kept: its context {}, so that it is not what its tokens alone would give "
                        "({})",
                        has_gaps ? "has forgotten tokens" : "was shifted",
                        has_gaps ? "/save FILE.json keeps the messages" : "/save FILE.ekv keeps it as it is"));
        return;
    }
    store(answering, true);
    if (!is_new_)
        fmt::print(stderr, "kept in {}; 'ech0 chat {} --session-dir {} --resume' goes on\n",
                   printable(options_.folder, 400), shell_word(answering.model.asked), shell_word(options_.folder));
}

}  // namespace ech0
