// The real engines, where they are installed ($ECH0_CACHE/voice after 'make voice', and on PATH); where they are not, a
// test says so and checks that the program does.

#include "voice/engines.h"

#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "voice/listener.h"
#include "voice/resampler.h"

using namespace ech0;

namespace {

bool is_available(const std::string& role, const std::string& name) {
    for (const VoiceEngine& engine : voice_engines())
        if (engine.role == role && engine.name == name) return engine.available;
    return false;
}

// @return true, and says so, if the engine isn't here
bool is_skipped(const std::string& role, const std::string& name) {
    if (is_available(role, name)) return false;
    MESSAGE("SKIPPED: no " << role << " '" << name << "' is installed");
    return true;
}

std::string letters(const std::string& text) {
    std::string out;
    for (const unsigned char c : text)
        if (std::isalnum(c) != 0) out += static_cast<char>(std::tolower(c));
    return out;
}

double share_of_speech(Listener& listener, const Sound& sound) {
    double n = 0, speech = 0;
    for (size_t at = 0; at + listener_window <= sound.samples.size(); at += listener_window, n++)
        speech += listener.hears_speech(std::span(sound.samples).subspan(at, listener_window)) ? 1 : 0;
    return speech / n;
}

Sound noise(double loudness, double seconds) {
    Sound sound{speech_rate, std::vector<float>(static_cast<size_t>(seconds * 16000))};
    uint32_t state = 1;
    for (float& sample : sound.samples) {
        state = state * 1664525 + 1013904223;
        sample = static_cast<float>(loudness * (static_cast<double>(state) / 2147483648.0 - 1));
    }
    return sound;
}

}  // namespace

TEST_CASE("Piper speaks and Moonshine understands it") {
    if (is_skipped("speaker", "piper") || is_skipped("recognizer", "moonshine")) return;
    VoiceWish wish;
    wish.speaker = "piper", wish.recognizer = "moonshine", wish.n_threads = 1;
    const Sound sound = load_speaker(wish)->speak("What is the capital of France?");
    CHECK(sound.rate == 22050);
    CHECK(sound.seconds() > 1);
    CHECK(sound.seconds() < 4);
    CHECK(letters(load_recognizer(wish)->transcribe(resampled(sound, speech_rate))) == "whatisthecapitaloffrance");
}

TEST_CASE("the smaller Moonshine hears where there are few threads, the larger where there are many") {
    if (is_skipped("speaker", "piper") || is_skipped("recognizer", "moonshine") ||
        is_skipped("recognizer", "moonshine-tiny"))
        return;
    VoiceWish wish;
    wish.speaker = "piper", wish.n_threads = 1;
    const Sound sound = resampled(load_speaker(wish)->speak("What is the capital of France?"), speech_rate);
    CHECK(load_recognizer(wish)->name() == "moonshine-tiny");
    CHECK(letters(load_recognizer(wish)->transcribe(sound)) == "whatisthecapitaloffrance");
    wish.n_threads = 3;
    CHECK(load_recognizer(wish)->name() == "moonshine");
    wish.recognizer = "moonshine-tiny";
    CHECK(load_recognizer(wish)->name() == "moonshine-tiny");
}

TEST_CASE("Silero hears speech in Piper's voice, and none in noise and silence") {
    if (is_skipped("speaker", "piper") || is_skipped("listener", "silero")) return;
    VoiceWish wish;
    wish.speaker = "piper", wish.listener = "silero", wish.n_threads = 1;
    const Sound speech =
        resampled(load_speaker(wish)->speak("The quick brown fox jumps over the lazy dog."), speech_rate);
    CHECK(share_of_speech(*load_listener(wish), speech) > 0.7);
    CHECK(share_of_speech(*load_listener(wish), noise(0, 2)) == 0);
    CHECK(share_of_speech(*load_listener(wish), noise(0.05, 2)) < 0.1);
}

TEST_CASE("eSpeak NG speaks, whatever the sentence is") {
    if (is_skipped("speaker", "espeak")) return;
    VoiceWish wish;
    wish.speaker = "espeak";
    const std::unique_ptr<Speaker> speaker = load_speaker(wish);
    CHECK(speaker->speak("Good morning.").seconds() > 0.4);
    CHECK(speaker->speak("-f /etc/passwd; $(date) <b>").seconds() > 0.4);
}

TEST_CASE("an engine that isn't there says how to get it, and one that doesn't exist which there are") {
    const TemporaryFolder folder;
    const TemporaryVariable voice("ECH0_VOICE", (folder / "voice").string()), path("PATH", folder.path().string());
    VoiceWish wish;
    wish.recognizer = "moonshine";
    CHECK_THROWS_WITH_AS(load_recognizer(wish),
                         "recognizer 'moonshine' is not installed: 'ech0 setup --voice' fetches it", UsageError);
    wish.recognizer = "parrot";
    CHECK_THROWS_WITH_AS(load_recognizer(wish),
                         "no recognizer 'parrot'; there are auto, moonshine, moonshine-tiny, whisper, whisper.cpp",
                         UsageError);
    wish.recognizer = "auto";
    CHECK_THROWS_AS(load_recognizer(wish), UsageError);
    CHECK(load_listener(wish)->name() == "level");
}

TEST_CASE("a library that is none is refused in one line") {
    const TemporaryFolder folder;
    const TemporaryVariable voice("ECH0_VOICE", folder.path().string());
    for (const char* file : {"lib/libsherpa-onnx-c-api.so", "lib/libsherpa-onnx-c-api.dylib", "silero_vad.onnx"}) {
        std::filesystem::create_directories((folder / file).parent_path());
        write_file(folder / file, "no library");
    }
    VoiceWish wish;
    wish.listener = "silero";
    try {
        load_listener(wish);
        FAIL("loaded");
    } catch (const FileError& error) {
        CHECK(std::string(error.what()).find("can't be loaded") != std::string::npos);
        CHECK(std::string(error.what()).find('\n') == std::string::npos);
    }
}

TEST_CASE("without a model speech is what is louder than the background") {
    const std::unique_ptr<Listener> listener = level_listener();
    CHECK(share_of_speech(*listener, noise(0.001, 1)) == 0);
    CHECK(share_of_speech(*listener, noise(0.2, 1)) > 0.9);
    CHECK(share_of_speech(*listener, noise(0.001, 1)) < 0.3);
}
