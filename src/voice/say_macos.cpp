// macOS's `say` writes a WAV file when asked for little-endian integers.

#include <fmt/format.h>

#include "base/child.h"
#include "base/installed_program.h"
#include "base/text.h"
#include "ech0/error.h"
#include "voice/program_engines.h"
#include "voice/temporary_wav.h"
#include "voice/wav.h"

namespace ech0 {
namespace {

class SaySpeaker : public Speaker {
public:
    SaySpeaker(std::filesystem::path program, std::string voice)
        : program_(std::move(program)), voice_(std::move(voice)) {}

    std::string name() const override { return voice_.empty() ? "say" : "say " + voice_; }

    Sound speak(const std::string& sentence) override {
        const TemporaryWav wav;
        std::vector<std::string> arguments = {"-o", wav.path().string(), "--file-format=WAVE",
                                              "--data-format=LEI16@22050"};
        if (!voice_.empty()) arguments.insert(arguments.end(), {"-v", voice_});
        arguments.insert(arguments.end(), {"--", sentence});
        const ChildResult result = run_child(program_, arguments, 60);
        if (result.exit_status != 0)
            throw EngineError(
                fmt::format("say failed with exit status {}: {}", result.exit_status, printable(result.errors, 300)));
        return read_wav(wav.path());
    }

private:
    std::filesystem::path program_;
    std::string voice_;
};

}  // namespace

std::optional<std::filesystem::path> find_say() { return find_program("say"); }

std::unique_ptr<Speaker> say_speaker(const std::filesystem::path& program, const std::string& voice) {
    return std::make_unique<SaySpeaker>(program, voice);
}

}  // namespace ech0
