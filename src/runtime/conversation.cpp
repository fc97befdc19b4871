// A chat is one growing text: the template wraps each message in marks ("<|im_start|>user … <|im_end|>") and asks for
// the next. The engine keeps what it has read (the KV cache), so a new turn should cost its own tokens only. Rather
// than track which text is new, we write the whole chat anew with the template, tokenize it, and compare with the
// tokens that are in the context: what both have in common stays, the rest is forgotten and read. So the context always
// holds what reading the whole chat from the beginning would put there, also with templates that rewrite the past
// (trimmed answers, removed thoughts) and with answers that the model spelled in other tokens than the tokenizer would.
//
// When the context is full and may be shifted, whole turns go, the oldest first, and what stood behind them moves down.
// Only a single turn that fills the context alone is cut in half, as llama.cpp does. Where somebody chooses tokens to
// forget (set_forget), those leave gaps instead, and everything else stays where it is.

#include "runtime/conversation.h"

#include <fmt/format.h>
#include <llama-cpp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/utf8_stream.h"
#include "ech0/error.h"
#include "runtime/session_impl.h"
#include "runtime/thoughts.h"

namespace ech0 {
namespace {

// A shorter match behind a gap may be chance, and saves nothing.
constexpr size_t least_match = 8;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
    const auto differ = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<size_t>(differ.first - a.begin());
}

std::span<const int32_t> suppressed_tokens(Session& session) {
    int32_t n = 0;
    const llama_token* tokens = llama_vocab_get_suppress_tokens(session.impl().vocab, &n);
    return {tokens, static_cast<size_t>(n)};
}

// The template goes through the engine as C strings.
void check_text(std::string_view what, std::string_view text) {
    const size_t at = text.find('\0');
    if (at != std::string_view::npos)
        throw UsageError(fmt::format("{}: a NUL byte at offset {}, wanted text", what, at));
}

}  // namespace

void check(const ConversationOptions& options) {
    check(options.sampler);
    check_text("system prompt", options.system);
    if (options.raw && !options.system.empty())
        throw UsageError("a system prompt needs the chat template: leave out --system or --raw");
}

std::string_view stop_name(Stop stop) {
    switch (stop) {
        case Stop::end_of_turn: return "end_of_turn";
        case Stop::length: return "length";
        case Stop::context_full: return "context_full";
        case Stop::interrupted: return "interrupted";
    }
    return "";
}

Conversation::Conversation(Session& session, ConversationOptions options)
    : session_(session),
      options_(std::move(options)),
      sampler_(options_.sampler, session.n_vocab(), suppressed_tokens(session), session.impl().vocab) {
    check(options_);
    const std::vector<ChatMessage> probe = {{"user", "?"}};
    if (!options_.raw) session_.apply_template(probe, true);
    clear();
}

void Conversation::forget_all() {
    session_.truncate(0);
    tokens_.clear();
    n_exact_ = SIZE_MAX;
    n_resumed_ = 0;
    resume_s_ = 0;
}

void Conversation::clear() {
    forget_all();
    sampler_.reset();
    messages_.clear();
    if (!options_.system.empty()) messages_.push_back({"system", options_.system});
}

void Conversation::set_system(const std::string& system) {
    ConversationOptions options = options_;
    options.system = system;
    check(options);
    options_ = std::move(options);
    if (!messages_.empty() && messages_.front().role == "system") messages_.erase(messages_.begin());
    if (!system.empty()) messages_.insert(messages_.begin(), {"system", system});
}

void Conversation::set_messages(std::vector<ChatMessage> messages) {
    for (const ChatMessage& message : messages) check_text("message", message.content);
    options_.system = !messages.empty() && messages.front().role == "system" ? messages.front().content : "";
    messages_ = std::move(messages);
}

void Conversation::resume(std::vector<ChatMessage> messages, std::vector<int32_t> tokens,
                          std::span<const uint8_t> state, double seconds) {
    const Clock::time_point start = Clock::now();
    for (const ChatMessage& message : messages) check_text("message", message.content);
    forget_all();
    session_.restore(state);
    if (session_.n_past() != static_cast<int64_t>(tokens.size())) {
        const int64_t n_past = session_.n_past();
        session_.truncate(0);
        throw EngineError(fmt::format("a cache up to position {}, of {} tokens", n_past, tokens.size()));
    }
    set_messages(std::move(messages));
    tokens_ = std::move(tokens);
    sampler_.reset();
    for (const int32_t token : tokens_) sampler_.accept(token);
    n_resumed_ = session_.n_past();
    resume_s_ = seconds + seconds_since(start);
}

std::optional<std::string> Conversation::take_back() {
    const auto last = std::find_if(messages_.rbegin(), messages_.rend(),
                                   [](const ChatMessage& message) { return message.role == "user"; });
    if (last == messages_.rend()) return std::nullopt;
    std::string message = last->content;
    messages_.erase(last.base() - 1, messages_.end());
    return message;
}

Answer Conversation::ask(std::string_view message, const OnText& on_text, const OnText& on_thought) {
    check_text("prompt", message);
    const std::vector<ChatMessage> before = messages_;
    messages_.push_back({"user", std::string(message)});
    Answer answer;
    try {
        const std::vector<int32_t> prompt = make_room(answer);
        const std::span<const float> logits = read_prompt(prompt, answer);
        write_answer(logits, answer, on_text, on_thought);
    } catch (const Interrupted&) {
        answer.stop = Stop::interrupted;
    } catch (...) {
        messages_ = before;
        throw;
    }
    answer.n_forgotten += std::exchange(n_forgotten_, 0);
    const bool nothing_said = answer.stop == Stop::interrupted && answer.n_tokens == 0;
    if (nothing_said)
        messages_ = before;
    else
        messages_.push_back({"assistant", answer.text});
    return answer;
}

void Conversation::read_ahead(std::string_view begun) {
    check_text("prompt", begun);
    const auto prompt_with = [&](char next) {
        std::vector<ChatMessage> messages = messages_;
        messages.push_back({"user", std::string(begun) + next});
        return tokens_of(messages, true);
    };
    // What two messages that go on differently have in common is in the prompt of every one.
    std::vector<int32_t> wanted = prompt_with('A');
    wanted.resize(common_prefix(wanted, prompt_with('7')));
    const size_t n_known = common_prefix(tokens_, wanted);
    if (n_known == wanted.size() || static_cast<int64_t>(wanted.size()) >= session_.n_ctx()) return;
    forget_from(n_known);
    read(wanted, static_cast<int64_t>(wanted.size()));
    for (const int32_t token : std::span(wanted).subspan(n_known)) sampler_.accept(token);
}

std::vector<int32_t> Conversation::tokens_of(std::span<const ChatMessage> messages, bool add_assistant) const {
    std::string text;
    if (!options_.raw && !messages.empty()) text = session_.apply_template(messages, add_assistant);
    if (options_.raw)
        for (const ChatMessage& message : messages) text += message.content;
    std::vector<int32_t> tokens = session_.tokenize(text, false, true);
    // Some templates begin with the BOS themselves; two would be one too many.
    const bool has_bos = !tokens.empty() && tokens.front() == session_.bos();
    if (session_.adds_bos() && session_.bos() >= 0 && !has_bos) tokens.insert(tokens.begin(), session_.bos());
    return tokens;
}

// The prompt for the messages as they are, made to fit by forgetting turns if that is allowed.
std::vector<int32_t> Conversation::make_room(Answer& answer) {
    std::vector<int32_t> prompt = tokens_of(messages_, true);
    if (prompt.empty()) throw UsageError("the prompt is empty, and this model has no token to begin with");
    const size_t n_whole = prompt.size();
    while (static_cast<int64_t>(prompt.size()) >= most_tokens()) {  // one place is for the answer
        const bool has_history = messages_.size() > first_turn() + 1;
        if (forget_)
            throw UsageError(
                fmt::format("the conversation with this message has {} tokens, the model was trained on "
                            "{}: start over (/clear)",
                            prompt.size(), session_.n_ctx_train()));
        if (has_history && !options_.context_shift) {
            throw UsageError(fmt::format(
                "the conversation with this message has {} tokens, the context holds {}: start over (/clear), "
                "make it larger (--ctx), or forget the oldest turns (--context-shift)",
                prompt.size(), session_.n_ctx()));
        }
        if (!forget_oldest_turn()) {
            throw UsageError(
                fmt::format("the prompt has {} tokens, the context holds {} with the answer: use a larger --ctx or a "
                            "shorter prompt",
                            prompt.size(), session_.n_ctx()));
        }
        prompt = tokens_of(messages_, true);
    }
    answer.n_forgotten += static_cast<int64_t>(n_whole - prompt.size());
    if (prompt.size() < n_whole) close_gap(prompt);
    return prompt;
}

std::span<const float> Conversation::read_prompt(const std::vector<int32_t>& prompt, Answer& answer) {
    const size_t n_known = std::min(common_prefix(tokens_, prompt), prompt.size() - 1);  // the last gives the logits
    look_for_cache(prompt, answer);
    const Clock::time_point start = Clock::now();
    forget_from(std::min(common_prefix(tokens_, prompt), prompt.size() - 1));
    answer.n_prompt = static_cast<int64_t>(prompt.size());
    answer.n_reused = static_cast<int64_t>(tokens_.size());
    answer.n_restored = std::min(answer.n_restored, answer.n_reused);
    const std::span<const float> logits = read(prompt, answer.n_prompt - answer.n_reused - 1);
    const size_t n_heard = std::min(n_known, static_cast<size_t>(answer.n_reused));  // by the sampler
    for (const int32_t token : std::span(prompt).subspan(n_heard)) sampler_.accept(token);
    answer.prompt_s = seconds_since(start);
    return logits;
}

// A saved cache of more of the prompt than the context has.
void Conversation::look_for_cache(const std::vector<int32_t>& prompt, Answer& answer) {
    answer.n_restored = std::exchange(n_resumed_, 0);
    answer.restore_s = std::exchange(resume_s_, 0);
    if (!find_cache_) return;
    const Clock::time_point start = Clock::now();
    std::optional<std::vector<int32_t>> found;
    const size_t n_reused = std::min(common_prefix(tokens_, prompt), prompt.size() - 1);
    try {
        found = find_cache_(session_, prompt, static_cast<int64_t>(n_reused));
    } catch (...) {
        forget_all();  // it may have stopped in the middle
        throw;
    }
    if (!found) return;
    tokens_ = std::move(*found);
    n_exact_ = SIZE_MAX;
    answer.n_restored = static_cast<int64_t>(std::min(common_prefix(tokens_, prompt), prompt.size() - 1));
    answer.restore_s += seconds_since(start);
}

// Decode the rest of `wanted`, of which the context has a beginning. What an interrupt leaves behind is still true.
std::span<const float> Conversation::read(const std::vector<int32_t>& wanted, int64_t first_logit) {
    const auto remember = [&] { tokens_.assign(wanted.begin(), wanted.begin() + session_.n_past()); };
    try {
        std::span<const int32_t> rest = std::span(wanted).subspan(tokens_.size());
        while (forget_ && session_.n_cells() + std::ssize(rest) > session_.n_ctx()) {
            const int64_t n_fit = session_.n_ctx() - session_.n_cells();
            session_.decode(rest.first(static_cast<size_t>(n_fit)), n_fit);
            rest = rest.subspan(static_cast<size_t>(n_fit));
            first_logit -= n_fit;
            forget_some();
        }
        const std::span<const float> logits = session_.decode(rest, first_logit);
        remember();
        return logits;
    } catch (...) {
        remember();
        throw;
    }
}

void Conversation::write_answer(std::span<const float> logits, Answer& answer, const OnText& on_text,
                                const OnText& on_thought) {
    const Clock::time_point start = Clock::now();
    const int64_t most = options_.n_predict >= 0 ? options_.n_predict : session_.n_ctx();
    Utf8Stream characters;
    ThoughtFilter thoughts;
    const auto tell = [&](const ThoughtFilter::Parts& parts) {
        answer.thoughts += parts.thought;
        answer.text += parts.said;
        if (on_thought && !parts.thought.empty()) on_thought(parts.thought);
        if (on_text && !parts.said.empty()) on_text(parts.said);
    };
    const auto say = [&](const std::string& text) { tell(thoughts.push(text)); };
    sampler_.begin_answer();
    int32_t token = -1;
    for (answer.stop = Stop::length; answer.n_tokens < most; answer.n_tokens++) {
        if (answer.n_tokens > 0) {
            if (is_full() && !make_space(answer)) {
                answer.stop = Stop::context_full;
                break;
            }
            logits = session_.decode({&token, 1}, 0);
            tokens_.push_back(token);
        }
        token = sampler_.sample(logits);
        if (session_.is_end(token)) {
            answer.stop = Stop::end_of_turn;
            break;
        }
        say(characters.push(session_.piece(token)));
        answer.answer_s = seconds_since(start);
    }
    say(characters.finish());
    tell(thoughts.finish());
}

int64_t Conversation::most_tokens() const {
    return forget_ ? std::max(session_.n_ctx(), session_.n_ctx_train()) : session_.n_ctx();
}

bool Conversation::is_full() const {
    return session_.n_cells() == session_.n_ctx() || session_.n_past() == most_tokens();
}

void Conversation::forget_some() {
    const int64_t n_before = session_.n_cells(), n_past = session_.n_past();
    forget_(session_);
    if (session_.n_cells() >= n_before || session_.n_past() != n_past)
        throw EngineError(
            fmt::format("{} tokens in a context of {}, and none was forgotten", n_before, session_.n_ctx()));
    n_forgotten_ += n_before - session_.n_cells();
    n_exact_ = 0;
}

// The context is full in the middle of an answer.
bool Conversation::make_space(Answer& answer) {
    if (forget_ && session_.n_past() < most_tokens()) {
        forget_some();
        return true;
    }
    if (!options_.context_shift) return false;
    if (!forget_oldest_turn()) return forget_half(answer);
    const size_t n_before = tokens_.size();
    const int64_t n_said = answer.n_tokens - 1;  // the last one isn't in the context yet
    std::vector<int32_t> wanted = tokens_of(messages_, true);
    wanted.insert(wanted.end(), tokens_.end() - n_said, tokens_.end());
    close_gap(wanted);
    forget_from(common_prefix(tokens_, wanted));
    if (tokens_.size() < wanted.size()) read(wanted, static_cast<int64_t>(wanted.size()));
    answer.n_forgotten += static_cast<int64_t>(n_before - tokens_.size());
    return true;
}

// Not the last one, which is being answered.
bool Conversation::forget_oldest_turn() {
    const auto oldest = messages_.begin() + static_cast<std::ptrdiff_t>(first_turn());
    const auto next =
        std::find_if(oldest + 1, messages_.end(), [](const ChatMessage& message) { return message.role == "user"; });
    if (next == messages_.end()) return false;
    messages_.erase(oldest, next);
    return true;
}

// `wanted` is what the context holds with a piece cut out (and perhaps more at its end). Cut the piece out of the
// context too; then what stood behind it needn't be read again.
void Conversation::close_gap(const std::vector<int32_t>& wanted) {
    const size_t n_keep = common_prefix(tokens_, wanted);
    for (size_t behind = n_keep + 1; behind + least_match <= tokens_.size(); behind++) {
        const std::span<const int32_t> rest = std::span<const int32_t>(tokens_).subspan(behind);
        if (common_prefix(rest, std::span<const int32_t>(wanted).subspan(n_keep)) < rest.size()) continue;
        cut(n_keep, behind - n_keep);
        return;
    }
}

bool Conversation::forget_half(Answer& answer) {
    const std::span<const ChatMessage> system = std::span<const ChatMessage>(messages_).first(first_turn());
    const size_t n_keep = common_prefix(tokens_, tokens_of(system, false));
    const size_t n_cut = (tokens_.size() - n_keep) / 2;
    if (n_cut == 0 || !cut(n_keep, n_cut)) return false;
    answer.n_forgotten += static_cast<int64_t>(n_cut);
    return true;
}

bool Conversation::cut(size_t at, size_t n_cut) {
    if (!session_.shift(static_cast<int64_t>(at), static_cast<int64_t>(n_cut))) return false;
    const auto begin = tokens_.begin() + static_cast<std::ptrdiff_t>(at);
    tokens_.erase(begin, begin + static_cast<std::ptrdiff_t>(n_cut));
    n_exact_ = std::min(n_exact_, at);
    return true;
}

void Conversation::forget_from(size_t n_keep) {
    if (n_keep == tokens_.size()) return;
    try {
        session_.truncate(static_cast<int64_t>(n_keep));
    } catch (const EngineError&) {  // a recurrent memory is one state: all or nothing
        session_.truncate(0);
    }
    n_keep = static_cast<size_t>(session_.n_past());  // fewer, if those before were forgotten
    tokens_.resize(n_keep);
    if (n_keep <= n_exact_) n_exact_ = SIZE_MAX;
}

}  // namespace ech0
