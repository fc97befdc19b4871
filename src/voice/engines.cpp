#include "voice/engines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/installed_program.h"
#include "base/text.h"
#include "ech0/error.h"
#include "voice/piper_voice.h"
#include "voice/program_engines.h"
#include "voice/resampler.h"
#include "voice/sherpa.h"
#include "voice/voice_parts.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr const char* setup_remedy = "'ech0 setup --voice' fetches it";
constexpr const char* usual_voice = "en_US-joe-medium.onnx";

constexpr const char* library_ending = ECH0_LIBRARY_ENDING;  // .so, .dylib: CMake knows

fs::path sherpa_file() { return voice_folder() / "lib" / (std::string("libsherpa-onnx-c-api") + library_ending); }

// Opened once: models that are loaded keep it open.
SharedSherpa sherpa() {
    static std::weak_ptr<const Sherpa> open;
    SharedSherpa shared = open.lock();
    if (!shared) open = shared = std::make_shared<const Sherpa>(sherpa_file());
    return shared;
}

struct Espeak {
    fs::path library, data;
};

// The one that was fetched; else the system's, which knows where its data is.
std::optional<Espeak> find_espeak_library() {
    const fs::path own = voice_folder() / "espeak-ng" / (std::string("libespeak-ng") + library_ending);
    if (fs::exists(own)) return Espeak{own, voice_folder() / "espeak-ng" / "espeak-ng-data"};
    for (const char* file :
         {"/usr/lib/x86_64-linux-gnu/libespeak-ng.so.1", "/usr/lib/aarch64-linux-gnu/libespeak-ng.so.1",
          "/usr/lib64/libespeak-ng.so.1", "/usr/lib/libespeak-ng.so.1", "/opt/homebrew/lib/libespeak-ng.dylib",
          "/usr/local/lib/libespeak-ng.dylib"})
        if (fs::exists(file)) return Espeak{file, ""};
    return std::nullopt;
}

fs::path piper_file(const std::string& voice) {
    return voice.ends_with(".onnx") ? fs::path(voice) : voice_folder() / "piper" / usual_voice;
}

// A model of whisper.cpp: $ECH0_WHISPER_CPP_MODEL, or what lies where its own scripts put it.
std::optional<fs::path> find_whisper_cpp_model() {
    if (const char* const named = std::getenv("ECH0_WHISPER_CPP_MODEL"); named != nullptr && *named != 0) {
        if (!fs::exists(named)) return std::nullopt;
        return named;
    }
    for (const char* name : {"ggml-base.en.bin", "ggml-base.bin", "ggml-tiny.en.bin", "ggml-tiny.bin"})
        if (const fs::path file = voice_folder() / "whisper.cpp" / name; fs::exists(file)) return file;
    return std::nullopt;
}

std::optional<fs::path> find_whisper_cpp() {
    for (const char* name : {"whisper-cli", "whisper-cpp"})
        if (const std::optional<fs::path> program = find_program(name)) return program;
    if (const fs::path own = voice_folder() / "whisper.cpp" / "whisper-cpp"; fs::exists(own)) return own;
    return std::nullopt;
}

VoiceEngine engine(const char* role, const char* name, std::string what, const fs::path& path, bool available,
                   std::string remedy) {
    return {role, name, std::move(what), path.string(), available, available ? "" : std::move(remedy)};
}

// Stages of a talk come one after the other, so each may have all cores that are idle. Not those that work for others:
// the networks' threads wait for the slowest of them (measured on two cores, one of them busy: speech to text in 0.70 s
// by one thread, 1.18 s by two). More than four make these networks no faster.
int n_threads(const VoiceWish& wish) {
    if (wish.n_threads > 0) return wish.n_threads;
    double load = 0;
    if (getloadavg(&load, 1) != 1) load = 0;
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) - static_cast<int>(std::lround(load)), 1,
                      4);
}

// Of the Moonshines the larger errs less and the smaller is three times as fast (docs/voice.md): with fewer threads
// than this, somebody would wait longer for the larger than for all the rest of an answer's beginning.
constexpr int least_threads_for_base = 3;

std::string usual_recognizer(int n_threads) {
    return n_threads < least_threads_for_base ? "moonshine-tiny" : "moonshine";
}

// The one that is named; else the usual one, or the first of its role, of those that are there.
VoiceEngine choose(const std::string& role, const std::string& wish, const std::string& usual = "") {
    std::vector<std::string> names, remedies;
    std::vector<VoiceEngine> engines = voice_engines();
    std::stable_partition(engines.begin(), engines.end(), [&](const VoiceEngine& each) {
        return wish == "auto" && each.available && each.name == usual;
    });
    for (VoiceEngine& each : engines) {
        if (each.role != role) continue;
        if (each.name == wish && !each.available)
            throw UsageError(fmt::format("{} '{}' is not installed: {}", role, wish, each.remedy));
        if (each.available && (wish == "auto" || wish == each.name)) return std::move(each);
        names.push_back(each.name);
        if (!each.available) remedies.push_back(each.remedy);
    }
    if (wish == "auto") throw UsageError(fmt::format("no {} is installed: {}", role, fmt::join(remedies, ", or ")));
    throw UsageError(fmt::format("no {} '{}'; there are auto, {}", role, printable(wish), fmt::join(names, ", ")));
}

}  // namespace

std::vector<VoiceEngine> voice_engines() {
    const fs::path folder = voice_folder();
    const bool has_sherpa = fs::exists(sherpa_file());
    const auto has = [&](const fs::path& file) { return has_sherpa && fs::exists(file); };
    const std::optional<Espeak> phonemes = find_espeak_library();
    const std::optional<fs::path> espeak = find_program("espeak-ng"), say = find_say(), whisper = find_whisper_cpp(),
                                  whisper_model = find_whisper_cpp_model();
    const fs::path silero = folder / "silero_vad.onnx", moonshine = folder / "moonshine",
                   moonshine_tiny = folder / "moonshine-tiny", onnx_whisper = folder / "whisper";
    return {
        engine("listener", "silero", "Silero VAD on sherpa-onnx", silero, has(silero), setup_remedy),
        engine("listener", "level", "loudness alone", "", true, ""),
        engine("recognizer", "moonshine", "Moonshine base (English) on sherpa-onnx", moonshine,
               has(moonshine / "tokens.txt"), setup_remedy),
        engine("recognizer", "moonshine-tiny", "Moonshine tiny (English) on sherpa-onnx", moonshine_tiny,
               has(moonshine_tiny / "tokens.txt"), setup_remedy),
        engine("recognizer", "whisper", "Whisper on sherpa-onnx", onnx_whisper, has(onnx_whisper / "tokens.txt"),
               "put encoder.onnx, decoder.onnx and tokens.txt of sherpa-onnx's export into " + onnx_whisper.string()),
        engine("recognizer", "whisper.cpp", "whisper.cpp's whisper-cli", whisper.value_or(""), whisper && whisper_model,
               whisper ? "name a model by ECH0_WHISPER_CPP_MODEL"
                       : "install whisper.cpp, and name a model by "
                         "ECH0_WHISPER_CPP_MODEL"),
        engine("speaker", "piper", "Piper on sherpa-onnx", piper_file(""), has(piper_file("")) && phonemes.has_value(),
               setup_remedy),
        engine("speaker", "say", "macOS's own voice", say.value_or(""), say.has_value(), "only macOS has it"),
        engine("speaker", "espeak", "eSpeak NG's own voice", espeak.value_or(""), espeak.has_value(),
               "install espeak-ng by your system's package manager"),
    };
}

std::unique_ptr<Listener> load_listener(const VoiceWish& wish) {
    const VoiceEngine chosen = choose("listener", wish.listener);
    return chosen.name == "silero" ? silero_listener(sherpa(), chosen.path) : level_listener();
}

std::unique_ptr<Recognizer> load_recognizer(const VoiceWish& wish) {
    const int threads = n_threads(wish);
    const VoiceEngine chosen = choose("recognizer", wish.recognizer, usual_recognizer(threads));
    if (chosen.name.starts_with("moonshine")) return moonshine_recognizer(sherpa(), chosen.name, chosen.path, threads);
    if (chosen.name == "whisper") return whisper_recognizer(sherpa(), chosen.path, threads);
    return whisper_cpp_recognizer(chosen.path, find_whisper_cpp_model().value(), threads);
}

std::unique_ptr<Speaker> load_speaker(const VoiceWish& wish) {
    const VoiceEngine chosen = choose("speaker", wish.speaker);
    if (chosen.name == "say") return say_speaker(chosen.path, wish.voice);
    if (chosen.name == "espeak") return espeak_speaker(chosen.path, wish.voice.empty() ? "en-us" : wish.voice);
    const fs::path voice = piper_file(wish.voice);
    prepare_piper_voice(voice);
    const Espeak espeak = find_espeak_library().value();
    const std::string language = read_piper_voice(voice).language;
    return piper_speaker(sherpa(), std::make_unique<Phonemizer>(espeak.library, espeak.data, language), voice, language,
                         n_threads(wish));
}

Voice load_voice(const VoiceWish& wish) {
    Voice voice{load_listener(wish), load_recognizer(wish), load_speaker(wish)};
    // A network's first run takes several times as long as its later ones: nobody should wait for that.
    voice.recognizer->transcribe(
        resampled(voice.speaker->speak(
                      "Good morning, everybody: what a pleasure to be here, and to have so much time for talking."),
                  speech_rate));
    return voice;
}

}  // namespace ech0
