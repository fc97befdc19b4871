// A whole talk, with a model of random weights and engines that do as a script says: the sound itself tells what is
// spoken. A loudness of 0.1 · n in the input is the word that the recognizer hears; the voice takes 50 ms for each
// letter.

#include "voice/talk.h"

#include <cmath>

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "ech0/session.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "voice/file_audio.h"
#include "voice/transcript.h"

using namespace ech0;

namespace {

constexpr const char* words[] = {"", "one", "two", "three", "[noise]"};

class ScriptedListener : public Listener {
public:
    std::string name() const override { return "scripted"; }
    bool hears_speech(std::span<const float> window) override { return window[0] > 0.05F; }
};

class ScriptedRecognizer : public Recognizer {
public:
    std::string name() const override { return "scripted"; }
    std::string transcribe(const Sound& speech) override {
        std::string text;
        int last = 0;
        for (const float sample : speech.samples) {
            const int word = static_cast<int>(std::lround(sample * 10));
            if (word != last && word > 0) text += (text.empty() ? "" : " ") + std::string(words[word]);
            last = word;
        }
        return text;
    }
};

class ScriptedSpeaker : public Speaker {
public:
    std::string name() const override { return "scripted"; }
    Sound speak(const std::string& sentence) override {
        if (sentence == fails_at) throw EngineError("the voice broke");
        return {16000, std::vector<float>(sentence.size() * 800, 0.5F)};
    }
    std::string fails_at = "\n";
};

// "..11.." in tenths of a second: digits are words, dots silence.
Sound script(const std::string& tenths) {
    Sound sound{16000, {}};
    for (const char c : tenths)
        sound.samples.insert(sound.samples.end(), 1600, c == '.' ? 0.0F : 0.1F * static_cast<float>(c - '0'));
    return sound;
}

struct Setting {
    TemporaryFolder folder;
    Model model;
    std::unique_ptr<Session> session;
    std::unique_ptr<Conversation> conversation;
    Voice voice;

    explicit Setting(int64_t n_predict) {
        write_tiny_model({}, folder / "m.gguf");
        SessionOptions options;
        options.n_threads = 1;
        options.n_ctx = 512;
        model = read_model((folder / "m.gguf").string());
        session = std::make_unique<Session>(model, options);
        ConversationOptions talk;
        talk.sampler.temp = 0;
        talk.n_predict = n_predict;
        talk.context_shift = true;
        conversation = std::make_unique<Conversation>(*session, talk);
        voice = {std::make_unique<ScriptedListener>(), std::make_unique<ScriptedRecognizer>(),
                 std::make_unique<ScriptedSpeaker>()};
    }
};

std::vector<std::string> roles(const Conversation& conversation) {
    std::vector<std::string> all;
    for (const ChatMessage& message : conversation.messages()) all.push_back(message.role);
    return all;
}

using Roles = std::vector<std::string>;

}  // namespace

TEST_CASE("each turn is heard and answered, and its sound lies behind it") {
    Setting setting(8);
    FileAudio audio(script("...11111........22222........"));
    const std::vector<TalkTurn> turns = talk(audio, setting.voice, *setting.conversation, {});
    REQUIRE(turns.size() == 2);
    CHECK(turns[0].heard == "one");
    CHECK(turns[1].heard == "two");
    CHECK(roles(*setting.conversation) == Roles{"user", "assistant", "user", "assistant"});
    CHECK(turns[0].begin_s == doctest::Approx(0.3).epsilon(0.15));
    CHECK(turns[0].end_s == doctest::Approx(0.8).epsilon(0.1));
    for (const TalkTurn& turn : turns) {
        if (turn.n_pieces == 0) continue;  // a random model may say nothing that has a letter
        CHECK(turn.audio_begin_s >= turn.end_s + 0.4);
        CHECK(turn.first_audio_s >= 0.4);
        CHECK(turn.audio_end_s > turn.audio_begin_s);
        CHECK(!turn.barged_in);
    }
}

TEST_CASE("a pause within a turn drops the answer that was prepared, and the model never knows") {
    Setting setting(8);
    FileAudio audio(script("...11111...22222.........."));
    const std::vector<TalkTurn> turns = talk(audio, setting.voice, *setting.conversation, {});
    REQUIRE(turns.size() == 1);
    CHECK(turns[0].heard == "one two");
    REQUIRE(roles(*setting.conversation) == Roles{"user", "assistant"});
    CHECK(setting.conversation->messages()[0].content == "one two");
}

TEST_CASE("silence is no turn, and noise is one that the model isn't told of") {
    Setting setting(8);
    FileAudio silence(script(std::string(30, '.')));
    CHECK(talk(silence, setting.voice, *setting.conversation, {}).empty());
    FileAudio noise(script("...44444.........."));
    const std::vector<TalkTurn> turns = talk(noise, setting.voice, *setting.conversation, {});
    REQUIRE(turns.size() == 1);
    CHECK(turns[0].heard.empty());
    CHECK(turns[0].n_pieces == 0);
    CHECK(setting.conversation->messages().empty());
}

TEST_CASE("speech stops an answer, and the model is told what was heard of it") {
    Setting setting(200);  // many seconds of speech
    const std::string long_answer(40, '.');
    FileAudio audio(script("...11111" + long_answer + "222222222.........."));
    const std::vector<TalkTurn> turns = talk(audio, setting.voice, *setting.conversation, {});
    REQUIRE(turns.size() == 2);
    REQUIRE(turns[0].n_pieces > 0);
    CHECK(turns[0].barged_in);
    CHECK(turns[0].audio_end_s == doctest::Approx(4.8 + 0.3).epsilon(0.05));
    CHECK(turns[0].said.size() < turns[0].answer.size());
    const std::vector<ChatMessage>& messages = setting.conversation->messages();
    REQUIRE(messages.size() == 4);
    CHECK(messages[1].content == turns[0].said);
    CHECK(messages[2].content == "(I interrupted you.) two");
}

TEST_CASE("without barge-in the answer is spoken to its end") {
    Setting setting(60);
    TalkOptions options;
    options.barge_in = false;
    FileAudio audio(script("...11111............22222222.........."));
    const std::vector<TalkTurn> turns = talk(audio, setting.voice, *setting.conversation, options);
    REQUIRE(turns.size() >= 1);
    CHECK(!turns[0].barged_in);
}

TEST_CASE("with a key the key alone decides on turns") {
    Setting setting(4);
    TalkOptions options;
    options.key = [](bool heard) { return heard; };
    FileAudio audio(script("...111......222........"));
    const std::vector<TalkTurn> turns = talk(audio, setting.voice, *setting.conversation, options);
    REQUIRE(turns.size() == 1);
    CHECK(turns[0].heard == "one two");
}

TEST_CASE("an engine that fails ends the talk with its error") {
    Setting setting(60);
    class Broken : public Recognizer {
    public:
        std::string name() const override { return "broken"; }
        std::string transcribe(const Sound&) override { throw EngineError("the ear broke"); }
    };
    setting.voice.recognizer = std::make_unique<Broken>();
    FileAudio audio(script("...11111.........."));
    CHECK_THROWS_WITH_AS(talk(audio, setting.voice, *setting.conversation, {}), "the ear broke", EngineError);
}

TEST_CASE("a recording is written down turn by turn, to its end, and silence is nothing") {
    ScriptedListener listener;
    ScriptedRecognizer recognizer;
    CHECK(transcript(script("....11111..............22222..........444444......3333"), listener, recognizer) ==
          "one two three");
    CHECK(transcript(script("........"), listener, recognizer).empty());
    CHECK(transcript({}, listener, recognizer).empty());
    // Longer than a recognizer takes: it comes in pieces.
    CHECK(transcript(script(std::string(290, '1')), listener, recognizer) == "one one");
}

TEST_CASE("what was heard of an answer are whole pieces, and whole words of the last") {
    const std::vector<SpokenPiece> pieces = {{"First piece.", {1, 2}}, {"And the second one", {2, 4}}};
    CHECK(heard_until(pieces, 0.5).empty());
    CHECK(heard_until(pieces, 2) == "First piece.");
    CHECK(heard_until(pieces, 3) == "First piece. And the");
    CHECK(heard_until(pieces, 9) == "First piece. And the second one");
    CHECK(heard_until({}, 9).empty());
}

TEST_CASE("a file's output begins with its input, and is silent where nothing was said") {
    FileAudio audio(script(".........."));
    std::vector<float> window(512);
    for (int i = 0; i < 20; i++) audio.hear(window, false);
    const Playback when = audio.play({8000, std::vector<float>(4000, 0.5F)});
    CHECK(when.begin_s == doctest::Approx(0.64));
    CHECK(when.end_s == doctest::Approx(1.14));
    CHECK(audio.playing());
    const Playback next = audio.play({16000, std::vector<float>(1600, 0.5F)});
    CHECK(next.begin_s == doctest::Approx(1.14));
    for (int i = 0; i < 20; i++) audio.hear(window, false);
    CHECK(audio.playing() == (audio.now_s() < next.end_s));
    const Sound out = audio.output();
    CHECK(out.rate == 8000);
    CHECK(out.samples[0] == 0);
    CHECK(out.samples[5200] == doctest::Approx(0.5));
    CHECK(out.seconds() == doctest::Approx(1.28).epsilon(0.01));
}

TEST_CASE("what is stopped is cut off where it was, and what comes later begins there") {
    FileAudio audio(script(".........."));
    std::vector<float> window(512);
    audio.play({16000, std::vector<float>(16000, 0.5F)});
    for (int i = 0; i < 10; i++) audio.hear(window, false);
    audio.stop();
    CHECK(!audio.playing());
    CHECK(audio.output().samples.size() == 5120);
    CHECK(audio.play({16000, {1}}).begin_s == doctest::Approx(0.32));
}
