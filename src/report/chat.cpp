#include "report/chat.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

Json messages_json(const std::vector<ChatMessage>& messages) {
    Json list = Json::array();
    for (const ChatMessage& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
    return list;
}

Json sampler_json(const SamplerOptions& options, uint32_t seed) {
    return {{"temp", options.temp},
            {"top_k", options.top_k},
            {"top_p", options.top_p},
            {"min_p", options.min_p},
            {"repeat_penalty", options.repeat_penalty},
            {"repeat_last_n", options.repeat_last_n},
            {"presence_penalty", options.presence_penalty},
            {"frequency_penalty", options.frequency_penalty},
            {"typical_p", options.typical_p},
            {"top_n_sigma", options.top_n_sigma},
            {"xtc_probability", options.xtc_probability},
            {"xtc_threshold", options.xtc_threshold},
            {"grammar", !options.grammar.empty()},
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
            {"messages", messages_json(conversation.messages())},
            {"answer", answer.text},
            {"thoughts", answer.thoughts},
            {"stop", stop_name(answer.stop)},
            {"n_prompt_tokens", answer.n_prompt},
            {"n_reused_tokens", answer.n_reused},
            {"n_restored_tokens", answer.n_restored},
            {"n_answer_tokens", answer.n_tokens},
            {"n_forgotten_tokens", answer.n_forgotten},
            {"n_past", conversation.session().n_past()},
            {"n_cells", conversation.session().n_cells()},
            {"n_ctx", conversation.session().n_ctx()},
            {"restore_s", answer.restore_s},
            {"prompt_s", answer.prompt_s},
            {"prompt_tokens_per_s", answer.prompt_tokens_per_s()},
            {"tokens_per_s", answer.tokens_per_s()},
            {"sampler", sampler_json(options.sampler, conversation.seed())}};
}

Json conversation_json(const Model& model, const std::vector<ChatMessage>& messages) {
    return {{"schema", "ech0.conversation/1"}, {"model", model.asked}, {"messages", messages_json(messages)}};
}

std::vector<ChatMessage> conversation_messages(std::string_view text, const std::string& name) {
    const auto refuse = [&](std::string_view why) {
        throw FormatError(fmt::format("{}: {}; wanted a conversation that /save wrote", name, why));
    };
    Json saved;
    try {
        saved = Json::parse(text);
    } catch (const Json::parse_error& error) {
        refuse("no JSON: " + printable(error.what(), 200));
    }
    if (!saved.is_object() || saved.value("schema", Json()) != "ech0.conversation/1" || !saved.contains("messages") ||
        !saved["messages"].is_array())
        refuse("its schema is not ech0.conversation/1");
    std::vector<ChatMessage> messages;
    for (const Json& message : saved["messages"]) {
        const bool is_message = message.is_object() && message.contains("role") && message["role"].is_string() &&
                                message.contains("content") && message["content"].is_string();
        const std::string role = is_message ? message["role"].get<std::string>() : "";
        const bool known = role == "user" || role == "assistant" || (role == "system" && messages.empty());
        if (!known) refuse(fmt::format("message {} has no role that can stand there", messages.size() + 1));
        messages.push_back({role, message["content"]});
    }
    return messages;
}

std::string answer_text(const Conversation& conversation, const Answer& answer) {
    const int64_t n_ctx = conversation.session().n_ctx();
    std::string text =
        fmt::format("{} tokens, {:.1f} tokens/s; prompt {} tokens ({} new), {:.1f} tokens/s; context {} of {}",
                    format_count(answer.n_tokens), answer.tokens_per_s(), format_count(answer.n_prompt),
                    format_count(answer.n_prompt - answer.n_reused), answer.prompt_tokens_per_s(),
                    format_count(conversation.session().n_cells()), format_count(n_ctx));
    if (answer.n_forgotten > 0) text += fmt::format("; {} tokens forgotten", format_count(answer.n_forgotten));
    return text + ending_text(answer.stop, n_ctx);
}

}  // namespace ech0
