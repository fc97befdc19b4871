#include "report/talk.h"

#include <fmt/format.h>

#include "runtime/engine.h"

namespace ech0 {
namespace {

Json turn_json(const TalkTurn& turn) {
    return {{"begin_s", turn.begin_s},
            {"end_s", turn.end_s},
            {"heard", turn.heard},
            {"answer", turn.answer},
            {"said", turn.said},
            {"barged_in", turn.barged_in},
            {"audio_begin_s", turn.audio_begin_s},
            {"audio_end_s", turn.audio_end_s},
            {"n_pieces", turn.n_pieces},
            {"n_tokens", turn.n_tokens},
            {"tokens_per_s", turn.tokens_per_s},
            {"latency",
             {{"pause_s", turn.pause_s},
              {"recognize_s", turn.recognize_s},
              {"first_piece_s", turn.first_piece_s},
              {"synthesize_s", turn.synthesize_s},
              {"confirm_s", turn.confirm_s},
              {"first_audio_s", turn.first_audio_s},
              {"total_s", turn.total_s}}}};
}

}  // namespace

Json talk_json(const Model& model, const Conversation& conversation, const TalkSetting& setting,
               const std::vector<TalkTurn>& turns) {
    Json list = Json::array(), messages = Json::array();
    for (const TalkTurn& turn : turns) list.push_back(turn_json(turn));
    for (const ChatMessage& message : conversation.messages())
        messages.push_back({{"role", message.role}, {"content", message.content}});
    return {{"schema", "ech0.talk/1"},
            {"model", {{"path", model.files.front().string()}, {"name", model.name}, {"size_bytes", model.size_bytes}}},
            {"engine", engine_description()},
            {"listener", setting.listener},
            {"recognizer", setting.recognizer},
            {"speaker", setting.speaker},
            {"input", setting.input},
            {"output", setting.output},
            {"load_s", setting.load_s},
            {"messages", messages},
            {"turns", list}};
}

std::string turn_text(const TalkTurn& turn) {
    if (turn.heard.empty()) return fmt::format("{:.1f} s of sound without words", turn.end_s - turn.begin_s);
    if (turn.n_pieces == 0) return "stopped before its first sound";
    return fmt::format(
        "{:.2f} s to the first sound: {:.2f} pause, {:.2f} speech to text, {:.2f} model, {:.2f} text to speech, {:.2f} "
        "to be "
        "sure; {} tokens, {:.1f} tokens/s; {:.1f} s spoken",
        turn.first_audio_s, turn.pause_s, turn.recognize_s, turn.first_piece_s, turn.synthesize_s, turn.confirm_s,
        turn.n_tokens, turn.tokens_per_s, turn.audio_end_s - turn.audio_begin_s);
}

}  // namespace ech0
