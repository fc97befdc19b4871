#pragma once

#include <string>

#include "ech0/model.h"
#include "report/json.h"
#include "runtime/conversation.h"

namespace ech0 {

/// The last answer of a conversation as "ech0.chat/1" (docs/json.md).
Json chat_json(const Model& model, const Conversation& conversation, const Answer& answer);

/// A talk that /save writes, "ech0.conversation/1" (docs/json.md).
Json conversation_json(const Model& model, const std::vector<ChatMessage>& messages);

/// The messages of such a file. @param name  for errors
/// @throws FormatError if it is none
std::vector<ChatMessage> conversation_messages(std::string_view text, const std::string& name);

/// What an answer took, in one line: "24 tokens, 41.3 tokens/s; prompt 60 tokens (12 new), 210.4 tokens/s; context 84
/// of 4,096". Says too why it ended, unless the model ended it.
std::string answer_text(const Conversation& conversation, const Answer& answer);

}  // namespace ech0
