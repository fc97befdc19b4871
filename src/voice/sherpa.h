#pragma once

// sherpa-onnx runs the voice's networks: Silero (is somebody speaking), Moonshine and Whisper (speech to text), Piper
// (text to speech). Its library is opened while we run, because `ech0 setup --voice` brings it after we were built. The
// layout of its structs belongs to one version: third_party/sherpa-onnx has that version's header.

#include <sherpa-onnx/c-api/c-api.h>

#include <filesystem>
#include <memory>

#include "voice/listener.h"
#include "voice/phonemizer.h"
#include "voice/recognizer.h"
#include "voice/shared_library.h"
#include "voice/speaker.h"

namespace ech0 {

/// The functions of the library that we call.
struct Sherpa {
    /// @throws FileError if it can't be loaded; FormatError if it is another version than the header's
    explicit Sherpa(const std::filesystem::path& file);

    SharedLibrary library;
#define ECH0_SHERPA(name) \
    decltype(&SherpaOnnx##name) name = library.function<decltype(&SherpaOnnx##name)>("SherpaOnnx" #name)
    ECH0_SHERPA(GetVersionStr);
    ECH0_SHERPA(CreateVoiceActivityDetector);
    ECH0_SHERPA(DestroyVoiceActivityDetector);
    ECH0_SHERPA(VoiceActivityDetectorAcceptWaveform);
    ECH0_SHERPA(VoiceActivityDetectorDetected);
    ECH0_SHERPA(VoiceActivityDetectorClear);
    ECH0_SHERPA(CreateOfflineRecognizer);
    ECH0_SHERPA(DestroyOfflineRecognizer);
    ECH0_SHERPA(CreateOfflineStream);
    ECH0_SHERPA(DestroyOfflineStream);
    ECH0_SHERPA(AcceptWaveformOffline);
    ECH0_SHERPA(DecodeOfflineStream);
    ECH0_SHERPA(GetOfflineStreamResult);
    ECH0_SHERPA(DestroyOfflineRecognizerResult);
    ECH0_SHERPA(CreateOfflineTts);
    ECH0_SHERPA(DestroyOfflineTts);
    ECH0_SHERPA(OfflineTtsGenerateWithConfig);
    ECH0_SHERPA(DestroyOfflineTtsGeneratedAudio);
#undef ECH0_SHERPA
};

using SharedSherpa = std::shared_ptr<const Sherpa>;

/// Silero's network. @param model  silero_vad.onnx
/// @throws EngineError if sherpa-onnx refuses the model
std::unique_ptr<Listener> silero_listener(SharedSherpa sherpa, const std::filesystem::path& model);

/// @param name  of the recognizer: there are a larger and a smaller one
/// @param folder  with encoder_model.ort, decoder_model_merged.ort, tokens.txt
/// @throws EngineError likewise
std::unique_ptr<Recognizer> moonshine_recognizer(SharedSherpa sherpa, const std::string& name,
                                                 const std::filesystem::path& folder, int n_threads);

/// @param folder  with encoder.onnx, decoder.onnx, tokens.txt
/// @throws EngineError likewise
std::unique_ptr<Recognizer> whisper_recognizer(SharedSherpa sherpa, const std::filesystem::path& folder, int n_threads);

/// @param voice  the .onnx; beside it lie .tokens.txt
/// @param language  that it speaks, as its JSON names it
/// @throws EngineError likewise
std::unique_ptr<Speaker> piper_speaker(SharedSherpa sherpa, std::unique_ptr<Phonemizer> phonemizer,
                                       const std::filesystem::path& voice, const std::string& language, int n_threads);

}  // namespace ech0
