#pragma once

#include <filesystem>
#include <string>

namespace ech0 {

/// What of a Piper voice's JSON matters here.
struct PiperVoice {
    std::string language;  ///< eSpeak NG's name: "en-us"
    int64_t rate = 22050;
    int64_t n_speakers = 1;
    std::string tokens;  ///< as sherpa-onnx reads them: a line "SYMBOL ID" each
};

/// @param name  for errors
/// @throws FormatError if it is no voice's, or one whose text is not phonemes of eSpeak NG
PiperVoice parse_piper_voice(std::string_view json, const std::string& name);

/// The keys that sherpa-onnx looks for in a voice's network, as bytes to stand behind it: ONNX is a protobuf message,
/// in which fields may come in any order, so `metadata_props` can follow.
std::string sherpa_metadata(const PiperVoice& voice);

/// Make of VOICE.onnx and VOICE.onnx.json what sherpa-onnx takes: keys in the network, VOICE.tokens.txt beside it. Does
/// nothing if that was done before.
/// @throws FileError, FormatError
void prepare_piper_voice(const std::filesystem::path& onnx);

/// The voice of a file beside which its JSON lies.
PiperVoice read_piper_voice(const std::filesystem::path& onnx);

}  // namespace ech0
