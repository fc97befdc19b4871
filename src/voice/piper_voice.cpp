#include "voice/piper_voice.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using nlohmann::json;

std::string varint(size_t value) {
    std::string bytes;
    for (; value > 127; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
    return bytes + static_cast<char>(value);
}

// A protobuf field of type "bytes".
std::string field(int number, const std::string& content) {
    return varint(static_cast<size_t>(number) << 3 | 2) + varint(content.size()) + content;
}

constexpr int metadata_props = 14;  // of ModelProto; onnx.proto3
constexpr int key_field = 1, value_field = 2;

}  // namespace

PiperVoice parse_piper_voice(std::string_view text, const std::string& name) {
    const auto refuse = [&](const std::string& why) {
        return FormatError(fmt::format("{}: {}; wanted the JSON that Piper puts beside a voice", name, why));
    };
    const json root = json::parse(text, nullptr, false);
    if (!root.is_object()) throw refuse("no JSON object");
    try {
        PiperVoice voice;
        voice.rate = root.at("audio").at("sample_rate").get<int64_t>();
        voice.n_speakers = root.value("num_speakers", int64_t{1});
        if (const std::string type = root.value("phoneme_type", "espeak"); type != "espeak")
            throw refuse(fmt::format("phonemes of type '{}', only espeak's are known", printable(type)));
        voice.language = root.at("espeak").at("voice").get<std::string>();
        if (voice.rate < 4000 || voice.rate > 384000) throw refuse(fmt::format("{} samples per second", voice.rate));
        for (const auto& [symbol, ids] : root.at("phoneme_id_map").items())
            voice.tokens += fmt::format("{} {}\n", symbol, ids.at(0).get<int64_t>());
        return voice;
    } catch (const json::exception& error) {
        throw refuse(printable(error.what(), 200));
    }
}

std::string sherpa_metadata(const PiperVoice& voice) {
    const std::pair<const char*, std::string> entries[] = {
        {"model_type", "vits"},
        {"comment", "piper"},
        {"language", voice.language},
        {"voice", voice.language},
        {"has_espeak", "1"},
        {"n_speakers", std::to_string(voice.n_speakers)},
        {"sample_rate", std::to_string(voice.rate)},
    };
    std::string bytes;
    for (const auto& [key, value] : entries)
        bytes += field(metadata_props, field(key_field, key) + field(value_field, value));
    return bytes;
}

PiperVoice read_piper_voice(const std::filesystem::path& onnx) {
    const std::filesystem::path beside = onnx.string() + ".json";
    return parse_piper_voice(read_file(beside), printable(beside.string(), 400));
}

void prepare_piper_voice(const std::filesystem::path& onnx) {
    const PiperVoice voice = read_piper_voice(onnx);
    const std::string more = sherpa_metadata(voice);
    {
        const MappedFile network(onnx);
        const std::string_view bytes(reinterpret_cast<const char*>(network.data()),
                                     static_cast<size_t>(network.size_bytes()));
        if (!bytes.ends_with(more)) {
            AtomicFile file(onnx);
            file.write(bytes);
            file.write(more);
            file.commit();
        }
    }
    write_file(std::filesystem::path(onnx).replace_extension(".tokens.txt"), voice.tokens);
}

}  // namespace ech0
