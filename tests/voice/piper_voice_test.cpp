#include "voice/piper_voice.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

const char* const description = R"({"audio": {"sample_rate": 16000}, "num_speakers": 2, "espeak": {"voice": "de"},
    "phoneme_type": "espeak", "phoneme_id_map": {"_": [0], " ": [3], "a": [14, 15]}})";

std::string complaint(const std::string& json) {
    try {
        parse_piper_voice(json, "v.json");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "none";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a Piper voice's JSON gives language, rate and tokens") {
    const PiperVoice voice = parse_piper_voice(description, "v.json");
    CHECK(voice.language == "de");
    CHECK(voice.rate == 16000);
    CHECK(voice.n_speakers == 2);
    CHECK(voice.tokens == "  3\n_ 0\na 14\n");
}

TEST_CASE("JSON that describes no voice of Piper's is refused with what is wrong") {
    CHECK(has(complaint("{"), "v.json: no JSON object; wanted the JSON that Piper puts beside a voice"));
    CHECK(has(complaint("[]"), "no JSON object"));
    CHECK(has(complaint("{}"), "audio"));
    CHECK(has(complaint(R"({"audio": {"sample_rate": "x"}})"), "v.json: "));
    CHECK(has(complaint(R"({"audio": {"sample_rate": 16000}, "phoneme_type": "text"})"), "phonemes of type 'text'"));
    CHECK(has(complaint(R"({"audio": {"sample_rate": 1}, "espeak": {"voice": "de"}, "phoneme_id_map": {}})"),
              "1 samples per second"));
    CHECK(has(complaint(R"({"audio": {"sample_rate": 16000}, "espeak": {"voice": "de"}, "phoneme_id_map": {"a": []}})"),
              "v.json: "));
}

TEST_CASE("the keys that sherpa-onnx wants are protobuf fields of ONNX's ModelProto, written once") {
    const TemporaryFolder folder;
    write_file(folder / "v.onnx", "network");
    write_file(folder / "v.onnx.json", description);
    prepare_piper_voice(folder / "v.onnx");
    const std::string once = read_file(folder / "v.onnx");
    // Field 14, 19 bytes: field 1 "model_type", field 2 "vits".
    CHECK(once.starts_with("network\x72\x12\x0A\x0Amodel_type\x12\x04vits"));
    CHECK(has(once, std::string("\x0A\x0Bsample_rate\x12\x05") + "16000"));
    CHECK(read_file(folder / "v.tokens.txt") == "  3\n_ 0\na 14\n");
    prepare_piper_voice(folder / "v.onnx");
    CHECK(read_file(folder / "v.onnx") == once);
}
