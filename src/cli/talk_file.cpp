#include "cli/talk_file.h"

#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "ech0/error.h"
#include "report/chat.h"

namespace ech0 {
namespace {

void warn(std::string_view text) { fmt::print(stderr, "ech0: {}\n", printable(text, 4000)); }

std::string conversation_text(const Answering& answering) {
    return json_text(conversation_json(answering.model, answering.conversation->messages()));
}

std::string load_messages(Conversation& conversation, const std::string& file) {
    conversation.set_messages(conversation_messages(read_file(file), printable(file, 400)));
    return fmt::format("{} messages; the next answer goes on from there", conversation.messages().size());
}

/// Put its cache back. @return why that can't be; "" if it is done
std::string restore(Answering& answering, const Snapshot& snapshot, const std::vector<ChatMessage>& messages) {
    const auto start = std::chrono::steady_clock::now();
    const std::string obstacle = snapshot.obstacle(answering.cache_kind(), answering.session->n_ctx());
    if (!obstacle.empty()) return obstacle;
    const std::string cache = snapshot.cache(answering.session_options.n_threads);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    try {
        answering.conversation->resume(messages, snapshot.tokens(),
                                       {reinterpret_cast<const uint8_t*>(cache.data()), cache.size()}, seconds);
    } catch (const EngineError& error) {
        return error.what();
    }
    return "";
}

std::string load_snapshot(Answering& answering, const std::string& file) {
    const auto start = std::chrono::steady_clock::now();
    const Snapshot snapshot(file);
    snapshot.require_model(answering.cache_kind());
    if (snapshot.ekv().conversation.empty())
        throw FormatError(
            fmt::format("{}: a cache without a conversation; wanted one that /save wrote", printable(file, 400)));
    const std::vector<ChatMessage> messages = conversation_messages(snapshot.ekv().conversation, printable(file, 400));
    const std::string n_tokens = format_count(static_cast<int64_t>(snapshot.tokens().size()));
    if (const std::string why = restore(answering, snapshot, messages); !why.empty()) {
        warn(fmt::format("{}: {}: its messages are used, and its {} tokens are read again with the next one", file, why,
                         n_tokens));
        answering.conversation->set_messages(messages);
        return fmt::format("{} messages; the next answer goes on from there", messages.size());
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return fmt::format("{} messages, {} tokens restored in {:.1f} s; the next answer goes on from there",
                       messages.size(), n_tokens, seconds);
}

bool holds_cache(const std::string& file) { return file.ends_with(".ekv") || is_ekv(MappedFile(file).bytes()); }

}  // namespace

std::string save_talk(Answering& answering, const std::string& file) {
    const std::string shown = printable(file, 400);
    const size_t n_messages = answering.conversation->messages().size();
    if (!file.ends_with(".ekv")) {
        write_file(file, conversation_text(answering));
        return fmt::format("{}: {} messages; '/load {}' goes on with them", shown, n_messages, shown);
    }
    SnapshotOptions options;
    options.conversation = conversation_text(answering);
    const std::vector<int32_t>& tokens = answering.conversation->tokens();
    const Ekv ekv = save_snapshot(*answering.session, tokens, answering.cache_kind(), file, options);
    return fmt::format("{}: {} messages and a cache of {} tokens, {}; '/load {}' or 'ech0 chat {} --resume {}' goes on",
                       shown, n_messages, format_count(static_cast<int64_t>(tokens.size())),
                       format_disk(ekv.file_bytes), shown, shell_word(answering.model.asked), shell_word(shown));
}

std::string load_talk(Answering& answering, const std::string& file) {
    return holds_cache(file) ? load_snapshot(answering, file) : load_messages(*answering.conversation, file);
}

}  // namespace ech0
