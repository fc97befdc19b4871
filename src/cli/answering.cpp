#include "cli/answering.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "cli/progress.h"
#include "ech0/units.h"
#include "kv/eviction.h"
#include "kv/kept_forgetting.h"
#include "kv/kept_profile.h"

namespace ech0 {
namespace {

void warn(std::string_view text) { fmt::print(stderr, "ech0: {}\n", printable(text, 4000)); }

// A model may say anything, also what a terminal would obey.
std::string for_terminal(std::string_view text) {
    std::string safe;
    std::copy_if(text.begin(), text.end(), std::back_inserter(safe), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\t';
    });
    return safe;
}

/// As was measured for such a context.
ForgetTokens forgetting(const Model& model, const SessionOptions& session, int64_t n_keep) {
    ProgressLine progress;
    KeepOptions options = measured_keeping(model, session.n_ctx, n_keep, progress.callback());
    options.n_threads = session.n_threads;
    KvProfileOptions profile_options;
    profile_options.n_threads = session.n_threads;
    const auto profile =
        std::make_shared<const KvProfile>(kv_profile_of(model, profile_options, false, progress.callback()).profile);
    return [profile, options](Session& full) { keep_in_cache(full, *profile, options); };
}

}  // namespace

Answering::Answering(const std::string& name, const RunOptions& options, const Config& config,
                     const ConversationOptions& conversation_options)
    : model(read_model(name)) {
    model.require_weights();
    run = plan_run_here(model, options, config);
    if (!run.plan.kv_why.empty()) warn(run.plan.kv_why);
    if (!run.plan.fits && run.split.remote.empty())
        warn(fmt::format("{} are needed and {} free: it will be slow; see 'ech0 fit {}'",
                         format_memory(run.plan.memory.total_bytes()), format_memory(run.plan.budget_bytes),
                         shell_word(model.asked)));
    session_options = ech0::session_options(run, options.wish.n_threads);
    ForgetTokens forget;
    if (options.n_keep > 0) forget = forgetting(model, session_options, options.n_keep);
    session = std::make_unique<Session>(model, session_options);
    conversation = std::make_unique<Conversation>(*session, conversation_options);
    conversation->set_forget(std::move(forget));
    check_interrupt();
    if (session->n_ctx() > model.n_ctx_train)
        warn(fmt::format("a context of {} tokens; the model was trained on {} and may lose the thread",
                         session->n_ctx(), model.n_ctx_train));
}

const CacheKind& Answering::cache_kind() {
    if (!kind) {
        ProgressLine progress;
        kind = ech0::cache_kind(model, session_options, progress.callback());
    }
    return *kind;
}

Answer print_answer(Conversation& conversation, std::string_view prompt, Thoughts thoughts) {
    const bool to_terminal = isatty(STDOUT_FILENO) == 1;
    bool open_line = true, thinking = false;
    const auto close_thoughts = [&](const char* end) {
        if (thinking) fmt::print(stderr, "{}", end);
        thinking = false;
    };
    const auto say = [&](std::string_view text) {
        close_thoughts(thoughts == Thoughts::shown ? "]\n" : "/thoughts shows it]\n");
        print(to_terminal ? for_terminal(text) : std::string(text));
        open_line = text.back() != '\n';
    };
    const auto think = [&](std::string_view text) {
        if (thoughts == Thoughts::hidden) return;
        if (!thinking) fmt::print(stderr, "[thinking… ");
        if (thoughts == Thoughts::shown) fmt::print(stderr, "{}", for_terminal(text));
        thinking = true;
    };
    Answer answer = conversation.ask(prompt, say, think);
    close_thoughts("]\n");
    if (open_line) print("\n");
    return answer;
}

}  // namespace ech0
