#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/session.h"
#include "runtime/sampler.h"

namespace ech0 {

struct ConversationOptions {
    std::string system;          ///< system prompt; empty: none
    bool raw = false;            ///< no template: the model continues the text as it stands
    bool context_shift = false;  ///< at the end of the context forget the oldest turns, not stop
    int64_t n_predict = -1;      ///< most tokens of an answer; -1: until it ends (see Conversation::ask)
    SamplerOptions sampler;
};

/// For a caller who would know before a large model is loaded; Conversation checks too.
/// @throws UsageError naming the option, its value and what it may be
void check(const ConversationOptions& options);

/// Why an answer ended.
enum class Stop { end_of_turn, length, context_full, interrupted };
std::string_view stop_name(Stop stop);  ///< "end_of_turn", …

/// One answer and what it took.
struct Answer {
    std::string text;      ///< without thoughts
    std::string thoughts;  ///< what the model wrote between <think> and </think>
    Stop stop = Stop::end_of_turn;
    int64_t n_prompt = 0;     ///< tokens of the whole prompt: history, message, template
    int64_t n_reused = 0;     ///< of these, the ones that were in the context already
    int64_t n_tokens = 0;     ///< tokens of the answer
    int64_t n_restored = 0;   ///< of those reused, the ones that came from a saved cache since the last answer
    int64_t n_forgotten = 0;  ///< tokens that a full context made us forget meanwhile
    double restore_s = 0, prompt_s = 0, answer_s = 0;

    double prompt_tokens_per_s() const {
        return prompt_s > 0 ? static_cast<double>(n_prompt - n_reused) / prompt_s : 0;
    }
    double tokens_per_s() const { return answer_s > 0 ? static_cast<double>(n_tokens) / answer_s : 0; }
};

/// Looks for a saved cache of a prompt's beginning that is worth more than the `n_reused` tokens the context has of it,
/// and puts it into the session.
/// @return the tokens that are in the session now; nothing if it was left as it is
using FindCache = std::function<std::optional<std::vector<int32_t>>(Session& session, std::span<const int32_t> prompt,
                                                                    int64_t n_reused)>;

/// Makes room in a full context: forgets tokens that matter least (Session::forget), not the last one.
using ForgetTokens = std::function<void(Session& session)>;

/// Messages to and fro, in the words of the model's own chat template. The context holds the tokens of what was said,
/// and a new message costs the decoding of what is new only.
class Conversation {
public:
    using OnText = std::function<void(std::string_view)>;  ///< gets whole UTF-8 characters as they come; may be empty

    /// @param session  empty, or its tokens are forgotten; must live as long as the conversation
    Conversation(Session& session, ConversationOptions options);

    /// Ask, and hear the answer. It ends at the model's end-of-turn token, after n_predict tokens, at an interrupt
    /// (then the part that came counts as said), or at the end of the context. With context_shift there is no such end;
    /// then an answer as long as the whole context is taken for a loop and ends with Stop::length.
    /// @throws UsageError if the message does not fit the context, or the file has no template; the conversation is
    /// then
    ///         as it was before
    /// @param on_thought  gets what a reasoning model writes before its answer
    Answer ask(std::string_view message, const OnText& on_text = {}, const OnText& on_thought = {});

    /// Read what the next prompt begins with whatever the message will be, so that ask() finds it in the context. For
    /// while nobody waits; the messages stay as they are.
    /// @param begun  the message is known to begin so
    /// @throws Interrupted, EngineError
    void read_ahead(std::string_view begun = "");

    void clear();  ///< forget all but the system prompt
    /// Another system prompt, for what was said too; "" = none.
    /// @throws UsageError as check
    void set_system(const std::string& system);
    /// As if this had been said. @throws UsageError if a text has a NUL byte
    void set_messages(std::vector<ChatMessage> messages);
    /// Go on where another conversation was: its messages, and the cache of the tokens that its context had.
    /// @param state  see Session::state; @param seconds  what fetching it took, for Answer::restore_s
    /// @throws EngineError if the engine refuses it, or it is not of these tokens; UsageError as set_messages. The
    ///         messages are then as they were, and the context is empty
    void resume(std::vector<ChatMessage> messages, std::vector<int32_t> tokens, std::span<const uint8_t> state,
                double seconds = 0);
    /// Ask this for each prompt; empty: nobody.
    void set_find_cache(FindCache find_cache) { find_cache_ = std::move(find_cache); }
    /// Ask this whenever the context is full; empty: nobody. A talk may then be longer than the context, up to what the
    /// model was trained on.
    void set_forget(ForgetTokens forget) { forget_ = std::move(forget); }
    /// Forget the last message of the user and what was answered. @return that message; nothing if there is none
    std::optional<std::string> take_back();
    const std::vector<ChatMessage>& messages() const { return messages_; }
    const std::vector<int32_t>& tokens() const { return tokens_; }  ///< what the context has read, forgotten ones too
    /// Is the context what reading its tokens from the beginning would give? Not once a piece was cut out of it: what
    /// stood behind has read the piece.
    bool is_exact() const { return tokens_.size() <= n_exact_; }
    Session& session() { return session_; }
    const Session& session() const { return session_; }
    const ConversationOptions& options() const { return options_; }
    uint32_t seed() const { return sampler_.seed(); }

private:
    std::vector<int32_t> tokens_of(std::span<const ChatMessage> messages, bool add_assistant) const;
    std::vector<int32_t> make_room(Answer& answer);
    std::span<const float> read_prompt(const std::vector<int32_t>& prompt, Answer& answer);
    void look_for_cache(const std::vector<int32_t>& prompt, Answer& answer);
    std::span<const float> read(const std::vector<int32_t>& wanted, int64_t first_logit);
    void write_answer(std::span<const float> logits, Answer& answer, const OnText& on_text, const OnText& on_thought);
    bool make_space(Answer& answer);
    void forget_some();
    int64_t most_tokens() const;
    bool is_full() const;
    bool forget_oldest_turn();
    bool forget_half(Answer& answer);
    void close_gap(const std::vector<int32_t>& wanted);
    bool cut(size_t at, size_t n_cut);
    void forget_from(size_t n_keep);
    void forget_all();
    size_t first_turn() const { return messages_.empty() || messages_[0].role != "system" ? 0 : 1; }

    Session& session_;
    ConversationOptions options_;
    Sampler sampler_;
    std::vector<ChatMessage> messages_;
    FindCache find_cache_;
    ForgetTokens forget_;
    int64_t n_forgotten_ = 0;      // by it, since the last answer
    std::vector<int32_t> tokens_;  // read by the context: session_.n_past() of them
    size_t n_exact_ = SIZE_MAX;    // tokens before the first cut
    int64_t n_resumed_ = 0;        // tokens, and what that took, for the next answer
    double resume_s_ = 0;
};

}  // namespace ech0
