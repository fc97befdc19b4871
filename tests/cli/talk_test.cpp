// `talk` by files, with the real engines where they are installed.

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "voice/engines.h"
#include "voice/wav.h"

using namespace ech0;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool is_skipped() {
    for (const VoiceEngine& engine : voice_engines())
        if (!engine.available && (engine.name == "piper" || engine.name == "moonshine" || engine.name == "silero")) {
            MESSAGE("SKIPPED: no " << engine.role << " '" << engine.name << "' is installed: 'make voice' gets it");
            return true;
        }
    return false;
}

void is_one_line(const Finished& ran, int status, const std::string& part) {
    CAPTURE(ran.err);
    CHECK(ran.status == status);
    CHECK(ran.out.empty());
    CHECK(has(ran.err, part));
    CHECK(count_lines(ran.err) == 1);
}

}  // namespace

TEST_CASE("talk hears a question in a file and answers into one") {
    if (is_skipped()) return;
    const TemporaryFolder folder;
    RunOptions options;
    options.folder = folder.path();
    REQUIRE(run_ech0({"talk", "--say", "What is the capital of France?", "--wav-out", "q.wav"}, options).status == 0);
    const Finished ran = run_ech0({"talk", "demo", "--wav", "q.wav", "--wav-out", "a.wav", "--temp", "0", "-n", "24",
                                   "--threads", "1", "--voice-threads", "1", "--json"},
                                  options);
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const json found = json::parse(ran.out);
    REQUIRE(found["turns"].size() == 1);
    const json& turn = found["turns"][0];
    CHECK(turn["heard"] == "What is the capital of France?");
    CHECK(has(turn["said"], "Paris"));
    CHECK(turn["audio_begin_s"] > turn["end_s"]);
    const Sound answer = read_wav(folder / "a.wav");
    CHECK(answer.seconds() >= turn["audio_end_s"].get<double>() - 0.1);
    double loudest_before = 0, loudest_in = 0;
    for (size_t i = 0; i < answer.samples.size(); i++) {
        const double at = static_cast<double>(i) / static_cast<double>(answer.rate);
        double& loudest = at < turn["audio_begin_s"] ? loudest_before : loudest_in;
        loudest = std::max(loudest, std::abs(static_cast<double>(answer.samples[i])));
    }
    CHECK(loudest_before == 0);
    CHECK(loudest_in > 0.1);
}

TEST_CASE("talk with silence or noise alone says so and exits with 1") {
    if (is_skipped()) return;
    const TemporaryFolder folder;
    RunOptions options;
    options.folder = folder.path();
    write_wav(folder / "s.wav", {44100, std::vector<float>(88200)});
    is_one_line(run_ech0({"talk", "demo", "--wav", "s.wav", "--threads", "1"}, options), 1, "ech0: no words in s.wav");
}

TEST_CASE("talk refuses files that are none, engines that there aren't and options that don't fit in one line") {
    const TemporaryFolder folder;
    RunOptions options;
    options.folder = folder.path();
    write_file(folder / "m.mp3", "ID3 is no WAV file");
    write_file(folder / "q.wav", wav_bytes({8000, {0, 0}}));
    is_one_line(run_ech0({"talk", "--transcribe", "m.mp3"}, options), 2,
                "m.mp3: no RIFF/WAVE header; wanted a WAV file");
    is_one_line(run_ech0({"talk", "--transcribe", "gone.wav"}, options), 2, "gone.wav");
    is_one_line(run_ech0({"talk", "--say", "x"}, options), 2, "--say needs --wav-out FILE");
    is_one_line(run_ech0({"talk", "demo", "--wav-out", "a.wav"}, options), 2, "--wav-out FILE goes with --wav FILE");
    is_one_line(run_ech0({"talk", "demo", "--barge-in", "0"}, options), 2, "--barge-in is 0 s, wanted 0.05 to 10");
    is_one_line(run_ech0({"talk", "--say", "x", "--wav-out", "a.wav", "--speaker", "parrot"}, options), 2,
                "no speaker 'parrot'; there are auto, piper, say, espeak");
    options.environment["ECH0_VOICE"] = (folder / "none").string();
    is_one_line(run_ech0({"talk", "demo", "--wav", "q.wav"}, options), 2, "'ech0 setup --voice' fetches it");
}

TEST_CASE("setup --voice --dry-run says sizes and licences and fetches nothing") {
    const TemporaryFolder folder;
    RunOptions options;
    options.environment["ECH0_VOICE"] = (folder / "voice").string();
    options.environment["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple";
    const Finished dry = run_ech0({"setup", "--voice", "--dry-run"}, options);
    CHECK(dry.status == 0);
    for (const char* part : {"58.4 MB", "CC0-1.0", "GPL-3.0-or-later", "Would fetch", "http://127.0.0.1:9/simple"})
        CHECK(has(dry.out, part));
    CHECK(!std::filesystem::exists(folder / "voice"));
}
