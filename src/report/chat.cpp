#include "report/chat.h"

#include <fmt/format.h>

#include "base/text.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

Json messages_json(const Conversation& conversation) {
    Json messages = Json::array();
    for (const ChatMessage& message : conversation.messages())
        messages.push_back({{"role", message.role}, {"content", message.content}});
    return messages;
}

Json sampler_json(const SamplerOptions& options, uint32_t seed) {
    return {{"temp", options.temp},
            {"top_k", options.top_k},
            {"top_p", options.top_p},
            {"min_p", options.min_p},
            {"repeat_penalty", options.repeat_penalty},
            {"repeat_last_n", options.repeat_last_n},
            {"seed", seed}};
}

std::string ending_text(Stop stop, int64_t n_ctx) {
    switch (stop) {
        case Stop::end_of_turn: return "";
        case Stop::length: return "; cut at the most tokens allowed";
        case Stop::context_full: return fmt::format("; cut: the context of {} tokens is full", format_count(n_ctx));
        case Stop::interrupted: return "; stopped";
    }
    return "";
}

}  // namespace

Json chat_json(const Model& model, const Conversation& conversation, const Answer& answer) {
    const ConversationOptions& options = conversation.options();
    return {{"schema", "ech0.chat/1"},
            {"model", {{"path", model.files.front().string()}, {"name", model.name}, {"size_bytes", model.size_bytes}}},
            {"engine", engine_description()},
            {"raw", options.raw},
            {"messages", messages_json(conversation)},
            {"answer", answer.text},
            {"stop", stop_name(answer.stop)},
            {"n_prompt_tokens", answer.n_prompt},
            {"n_answer_tokens", answer.n_tokens},
            {"n_forgotten_tokens", answer.n_forgotten},
            {"n_past", conversation.session().n_past()},
            {"n_ctx", conversation.session().n_ctx()},
            {"prompt_s", answer.prompt_s},
            {"prompt_tokens_per_s", answer.prompt_tokens_per_s()},
            {"tokens_per_s", answer.tokens_per_s()},
            {"sampler", sampler_json(options.sampler, conversation.seed())}};
}

std::string answer_text(const Conversation& conversation, const Answer& answer) {
    const int64_t n_ctx = conversation.session().n_ctx();
    std::string text =
        fmt::format("{} tokens, {:.1f} tokens/s; prompt {} tokens ({} new), {:.1f} tokens/s; context {} of {}",
                    format_count(answer.n_tokens), answer.tokens_per_s(), format_count(answer.n_prompt),
                    format_count(answer.n_prompt - answer.n_reused), answer.prompt_tokens_per_s(),
                    format_count(conversation.session().n_past()), format_count(n_ctx));
    if (answer.n_forgotten > 0) text += fmt::format("; {} tokens forgotten", format_count(answer.n_forgotten));
    return text + ending_text(answer.stop, n_ctx);
}

}  // namespace ech0
