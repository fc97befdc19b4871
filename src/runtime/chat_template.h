#pragma once

#include <span>
#include <string>

#include "ech0/session.h"

namespace ech0 {

/// The prompt that a template makes of the messages, by the engine's own list of templates.
/// @param chat_template  a file's tokenizer.chat_template
/// @throws UsageError if it is empty, or one that the engine doesn't know
std::string render_chat(const std::string& chat_template, std::span<const ChatMessage> messages, bool add_assistant);

}  // namespace ech0
