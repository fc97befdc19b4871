#include "voice/sherpa.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// Structs of 2.0; a later 2.x may have grown them.
constexpr const char* known_version = "2.0.";

// sherpa-onnx says why on stderr, before this.
[[noreturn]] void refuse(const std::filesystem::path& what) {
    throw EngineError(fmt::format("{}: sherpa-onnx can't load it; 'ech0 setup --voice' fetches it anew",
                                  printable(what.string(), 400)));
}

void require(const std::filesystem::path& file) {
    if (!std::filesystem::is_regular_file(file))
        throw FileError(
            fmt::format("{}: no such file; 'ech0 setup --voice' fetches it", printable(file.string(), 400)));
}

class SileroListener : public Listener {
public:
    SileroListener(SharedSherpa sherpa, const std::filesystem::path& model) : sherpa_(std::move(sherpa)) {
        require(model);
        const std::string file = model.string();
        SherpaOnnxVadModelConfig config{};
        config.silero_vad.model = file.c_str();
        config.silero_vad.threshold = 0.5F;
        // Runs of speech and silence are TurnTaking's business; here each window counts.
        config.silero_vad.min_silence_duration = 0.03F;
        config.silero_vad.min_speech_duration = 0.03F;
        config.silero_vad.max_speech_duration = 60;
        config.silero_vad.window_size = static_cast<int32_t>(listener_window);
        config.sample_rate = static_cast<int32_t>(speech_rate);
        config.num_threads = 1;
        config.provider = "cpu";
        detector_ = sherpa_->CreateVoiceActivityDetector(&config, 70);
        if (detector_ == nullptr) refuse(model);
    }
    ~SileroListener() override { sherpa_->DestroyVoiceActivityDetector(detector_); }
    SileroListener(const SileroListener&) = delete;
    SileroListener& operator=(const SileroListener&) = delete;

    std::string name() const override { return "silero"; }

    bool hears_speech(std::span<const float> window) override {
        sherpa_->VoiceActivityDetectorAcceptWaveform(detector_, window.data(), static_cast<int32_t>(window.size()));
        sherpa_->VoiceActivityDetectorClear(detector_);  // the segments that it keeps; we keep our own
        return sherpa_->VoiceActivityDetectorDetected(detector_) != 0;
    }

private:
    SharedSherpa sherpa_;
    const SherpaOnnxVoiceActivityDetector* detector_ = nullptr;
};

class SherpaRecognizer : public Recognizer {
public:
    SherpaRecognizer(SharedSherpa sherpa, std::string name, const SherpaOnnxOfflineRecognizerConfig& config,
                     const std::filesystem::path& folder)
        : sherpa_(std::move(sherpa)), name_(std::move(name)), recognizer_(sherpa_->CreateOfflineRecognizer(&config)) {
        if (recognizer_ == nullptr) refuse(folder);
    }
    ~SherpaRecognizer() override { sherpa_->DestroyOfflineRecognizer(recognizer_); }
    SherpaRecognizer(const SherpaRecognizer&) = delete;
    SherpaRecognizer& operator=(const SherpaRecognizer&) = delete;

    std::string name() const override { return name_; }

    std::string transcribe(const Sound& speech) override {
        const SherpaOnnxOfflineStream* const stream = sherpa_->CreateOfflineStream(recognizer_);
        sherpa_->AcceptWaveformOffline(stream, static_cast<int32_t>(speech.rate), speech.samples.data(),
                                       static_cast<int32_t>(speech.samples.size()));
        sherpa_->DecodeOfflineStream(recognizer_, stream);
        const SherpaOnnxOfflineRecognizerResult* const result = sherpa_->GetOfflineStreamResult(stream);
        std::string text = result == nullptr || result->text == nullptr ? "" : result->text;
        if (result != nullptr) sherpa_->DestroyOfflineRecognizerResult(result);
        sherpa_->DestroyOfflineStream(stream);
        return text;
    }

private:
    SharedSherpa sherpa_;
    std::string name_;
    const SherpaOnnxOfflineRecognizer* recognizer_ = nullptr;
};

SherpaOnnxOfflineRecognizerConfig recognizer_config(const std::string& tokens, int n_threads) {
    SherpaOnnxOfflineRecognizerConfig config{};
    config.feat_config.sample_rate = static_cast<int32_t>(speech_rate);
    config.feat_config.feature_dim = 80;
    config.decoding_method = "greedy_search";
    config.model_config.tokens = tokens.c_str();
    config.model_config.num_threads = n_threads;
    config.model_config.provider = "cpu";
    return config;
}

class PiperSpeaker : public Speaker {
public:
    PiperSpeaker(SharedSherpa sherpa, std::unique_ptr<Phonemizer> phonemizer, const std::filesystem::path& voice,
                 std::string language, int n_threads)
        : sherpa_(std::move(sherpa)),
          phonemizer_(std::move(phonemizer)),
          voice_(voice.stem().string()),
          language_(std::move(language)) {
        const std::string model = voice.string();
        const std::string tokens = std::filesystem::path(voice).replace_extension(".tokens.txt").string();
        require(model);
        require(tokens);
        SherpaOnnxOfflineTtsConfig config{};
        config.model.vits.model = model.c_str();
        config.model.vits.tokens = tokens.c_str();
        config.model.vits.noise_scale = 0.667F;  // as Piper's own program, and the voice's JSON
        config.model.vits.noise_scale_w = 0.8F;
        config.model.vits.length_scale = 1;
        config.model.num_threads = n_threads;
        config.model.provider = "cpu";
        config.max_num_sentences = 1;
        config.silence_scale = 0.2F;
        tts_ = sherpa_->CreateOfflineTts(&config);
        if (tts_ == nullptr) refuse(voice);
    }
    ~PiperSpeaker() override { sherpa_->DestroyOfflineTts(tts_); }
    PiperSpeaker(const PiperSpeaker&) = delete;
    PiperSpeaker& operator=(const PiperSpeaker&) = delete;

    std::string name() const override { return "piper " + voice_; }
    std::string language() const override { return language_; }

    Sound speak(const std::string& sentence) override {
        const std::vector<int32_t> phonemes = phonemizer_->phonemes(sentence);
        if (phonemes.empty()) return {};
        const auto n = static_cast<int32_t>(phonemes.size());
        SherpaOnnxGenerationConfig config{};
        config.speed = 1;
        config.silence_scale = 0.2F;
        config.phoneme_codepoints = phonemes.data();
        config.phoneme_codepoints_lens = &n;
        config.phoneme_codepoints_num_sentences = 1;
        const SherpaOnnxGeneratedAudio* const audio =
            sherpa_->OfflineTtsGenerateWithConfig(tts_, sentence.c_str(), &config, nullptr, nullptr);
        if (audio == nullptr) throw EngineError(fmt::format("sherpa-onnx can't speak '{}'", printable(sentence)));
        Sound sound{audio->sample_rate, {audio->samples, audio->samples + audio->n}};
        sherpa_->DestroyOfflineTtsGeneratedAudio(audio);
        return sound;
    }

private:
    SharedSherpa sherpa_;
    std::unique_ptr<Phonemizer> phonemizer_;
    std::string voice_, language_;
    const SherpaOnnxOfflineTts* tts_ = nullptr;
};

}  // namespace

Sherpa::Sherpa(const std::filesystem::path& file) : library(file) {
    const std::string version = GetVersionStr();
    if (!version.starts_with(known_version))
        throw FormatError(fmt::format("{}: sherpa-onnx {}, wanted {}x; 'ech0 setup --voice' fetches that",
                                      printable(file.string(), 400), printable(version), known_version));
}

std::unique_ptr<Listener> silero_listener(SharedSherpa sherpa, const std::filesystem::path& model) {
    return std::make_unique<SileroListener>(std::move(sherpa), model);
}

std::unique_ptr<Recognizer> moonshine_recognizer(SharedSherpa sherpa, const std::string& name,
                                                 const std::filesystem::path& folder, int n_threads) {
    const std::string encoder = (folder / "encoder_model.ort").string();
    const std::string decoder = (folder / "decoder_model_merged.ort").string();
    const std::string tokens = (folder / "tokens.txt").string();
    for (const std::string& file : {encoder, decoder, tokens}) require(file);
    SherpaOnnxOfflineRecognizerConfig config = recognizer_config(tokens, n_threads);
    config.model_config.moonshine.encoder = encoder.c_str();
    config.model_config.moonshine.merged_decoder = decoder.c_str();
    return std::make_unique<SherpaRecognizer>(std::move(sherpa), name, config, folder);
}

std::unique_ptr<Recognizer> whisper_recognizer(SharedSherpa sherpa, const std::filesystem::path& folder,
                                               int n_threads) {
    const std::string encoder = (folder / "encoder.onnx").string();
    const std::string decoder = (folder / "decoder.onnx").string();
    const std::string tokens = (folder / "tokens.txt").string();
    for (const std::string& file : {encoder, decoder, tokens}) require(file);
    SherpaOnnxOfflineRecognizerConfig config = recognizer_config(tokens, n_threads);
    config.model_config.whisper.encoder = encoder.c_str();
    config.model_config.whisper.decoder = decoder.c_str();
    config.model_config.whisper.language = "en";
    config.model_config.whisper.task = "transcribe";
    return std::make_unique<SherpaRecognizer>(std::move(sherpa), "whisper", config, folder);
}

std::unique_ptr<Speaker> piper_speaker(SharedSherpa sherpa, std::unique_ptr<Phonemizer> phonemizer,
                                       const std::filesystem::path& voice, const std::string& language, int n_threads) {
    return std::make_unique<PiperSpeaker>(std::move(sherpa), std::move(phonemizer), voice, language, n_threads);
}

}  // namespace ech0
