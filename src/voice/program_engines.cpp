#include "voice/program_engines.h"

#include <fmt/format.h>

#include "base/child.h"
#include "base/text.h"
#include "ech0/error.h"
#include "voice/temporary_wav.h"
#include "voice/wav.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr double speak_limit_s = 60, transcribe_limit_s = 300;

[[noreturn]] void refuse(const fs::path& program, const ChildResult& result) {
    throw EngineError(fmt::format("{} failed with exit status {}: {}", printable(program.string(), 400),
                                  result.exit_status,
                                  result.errors.empty() ? "it said nothing" : printable(result.errors, 300)));
}

class EspeakSpeaker : public Speaker {
public:
    EspeakSpeaker(fs::path program, std::string language)
        : program_(std::move(program)), language_(std::move(language)) {}

    std::string name() const override { return "espeak " + language_; }
    std::string language() const override { return language_; }

    Sound speak(const std::string& sentence) override {
        const ChildResult result =
            run_child(program_, {"-v", language_, "-b", "1", "--stdout", "--", sentence}, speak_limit_s);
        if (result.exit_status != 0) refuse(program_, result);
        return parse_wav(result.output, "what " + printable(program_.string(), 400) + " wrote");
    }

private:
    fs::path program_;
    std::string language_;
};

class WhisperCppRecognizer : public Recognizer {
public:
    WhisperCppRecognizer(fs::path program, fs::path model, int n_threads)
        : program_(std::move(program)), model_(std::move(model)), n_threads_(n_threads) {}

    std::string name() const override { return "whisper.cpp " + model_.stem().string(); }

    std::string transcribe(const Sound& speech) override {
        const TemporaryWav wav(speech);
        const ChildResult result = run_child(program_,
                                             {"-m", model_.string(), "-f", wav.path().string(), "-t",
                                              std::to_string(n_threads_), "--no-timestamps", "--no-prints"},
                                             transcribe_limit_s);
        if (result.exit_status != 0) refuse(program_, result);
        const size_t first = result.output.find_first_not_of(" \n\r\t");
        const size_t last = result.output.find_last_not_of(" \n\r\t");
        return first == std::string::npos ? "" : result.output.substr(first, last - first + 1);
    }

private:
    fs::path program_, model_;
    int n_threads_;
};

}  // namespace

std::unique_ptr<Speaker> espeak_speaker(const fs::path& program, const std::string& language) {
    return std::make_unique<EspeakSpeaker>(program, language);
}

std::unique_ptr<Recognizer> whisper_cpp_recognizer(const fs::path& program, const fs::path& model, int n_threads) {
    return std::make_unique<WhisperCppRecognizer>(program, model, n_threads);
}

}  // namespace ech0
