#include "runtime/chat_template.h"

#include <llama.h>

#include <vector>

#include "ech0/error.h"

namespace ech0 {

std::string render_chat(const std::string& chat_template, std::span<const ChatMessage> messages, bool add_assistant) {
    if (chat_template.empty())
        throw UsageError(
            "this file has no chat template (tokenizer.chat_template): it is a base model; use -p with --raw");
    std::vector<llama_chat_message> chat;
    size_t n_chars = 256;
    for (const ChatMessage& m : messages) {
        chat.push_back({m.role.c_str(), m.content.c_str()});
        n_chars += 2 * (m.role.size() + m.content.size());
    }
    std::string prompt(n_chars, '\0');
    const auto apply = [&] {
        return llama_chat_apply_template(chat_template.c_str(), chat.data(), chat.size(), add_assistant, prompt.data(),
                                         static_cast<int32_t>(prompt.size()));
    };
    int32_t n = apply();
    if (n > static_cast<int32_t>(prompt.size())) {
        prompt.resize(static_cast<size_t>(n));
        n = apply();
    }
    if (n < 0) throw UsageError("the file's chat template is not one that llama.cpp's template list knows");
    prompt.resize(static_cast<size_t>(n));
    return prompt;
}

}  // namespace ech0
