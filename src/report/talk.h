#pragma once

#include <string>
#include <vector>

#include "ech0/model.h"
#include "report/json.h"
#include "runtime/conversation.h"
#include "voice/talk.h"

namespace ech0 {

/// What a talk ran with.
struct TalkSetting {
    std::string listener, recognizer, speaker;  ///< their names
    std::string input, output;                  ///< devices or files
    double load_s = 0;                          ///< model and engines
};

/// A whole talk as "ech0.talk/1" (docs/json.md).
Json talk_json(const Model& model, const Conversation& conversation, const TalkSetting& setting,
               const std::vector<TalkTurn>& turns);

/// How long a turn took, in one line: "0.91 s to the first sound: 0.20 pause, 0.31 speech to text, …".
std::string turn_text(const TalkTurn& turn);

}  // namespace ech0
