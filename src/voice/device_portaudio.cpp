// Microphone and loudspeaker by PortAudio. Its callbacks run in threads of its own, on time, and must not wait: they
// copy from and to queues, and everything else happens elsewhere.

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <portaudio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"
#include "voice/device.h"
#include "voice/resampler.h"

namespace ech0 {
namespace {

// Only zeros for so long: nobody's microphone. Not less: those that suppress noise give zeros until somebody speaks.
constexpr double silent_device_s = 20;
constexpr double gone_device_s = 3;  // nothing at all for so long

constexpr size_t most_unheard = 1 << 20;  // samples; half a minute that nobody took

constexpr const char* no_device_remedy = "plug one in, or talk by files: --wav IN --wav-out OUT";

extern "C" void alsa_says_nothing(const char*, int, const char*, int, const char*, ...) {}
extern "C" void jack_says_nothing(const char*) {}

// ALSA and JACK complain on stderr about every device that they look for and don't find.
void quieten_sound_libraries() {
    if (void* const set = dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler"))
        reinterpret_cast<int (*)(decltype(&alsa_says_nothing))>(set)(alsa_says_nothing);
    for (const char* name : {"jack_set_error_function", "jack_set_info_function"})
        if (void* const set = dlsym(RTLD_DEFAULT, name))
            reinterpret_cast<void (*)(decltype(&jack_says_nothing))>(set)(jack_says_nothing);
}

/// While it lives, what is written to stderr is gone: PulseAudio's library writes there past every handler when it
/// looks for a server and finds none.
class QuietStderr {
public:
    QuietStderr() : before_(dup(STDERR_FILENO)), nowhere_(open("/dev/null", O_WRONLY | O_CLOEXEC)) {
        if (before_ >= 0 && nowhere_ >= 0) dup2(nowhere_, STDERR_FILENO);
    }
    ~QuietStderr() {
        if (before_ >= 0) dup2(before_, STDERR_FILENO);
        for (const int fd : {before_, nowhere_})
            if (fd >= 0) close(fd);
    }
    QuietStderr(const QuietStderr&) = delete;
    QuietStderr& operator=(const QuietStderr&) = delete;

private:
    int before_, nowhere_;
};

/// PortAudio, from its first use to its last.
class Library {
public:
    Library() {
        quieten_sound_libraries();
        const QuietStderr quiet;
        error_ = Pa_Initialize();
    }
    ~Library() {
        if (error_ == paNoError) Pa_Terminate();
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    PaError error() const { return error_; }

private:
    PaError error_ = paNoError;
};

int channels_of(const PaDeviceInfo& info, bool input) { return input ? info.maxInputChannels : info.maxOutputChannels; }

std::vector<PaDeviceIndex> devices_of(bool input) {
    std::vector<PaDeviceIndex> found;
    for (PaDeviceIndex i = 0; i < Pa_GetDeviceCount(); i++)
        if (channels_of(*Pa_GetDeviceInfo(i), input) > 0) found.push_back(i);
    return found;
}

std::vector<AudioDevice> list(bool input) {
    const PaDeviceIndex usual = input ? Pa_GetDefaultInputDevice() : Pa_GetDefaultOutputDevice();
    std::vector<AudioDevice> all;
    for (const PaDeviceIndex i : devices_of(input)) {
        const PaDeviceInfo& info = *Pa_GetDeviceInfo(i);
        all.push_back({info.name, std::llround(info.defaultSampleRate), channels_of(info, input), i == usual});
    }
    return all;
}

PaDeviceIndex find_device(const std::string& wish, bool input) {
    const char* const kind = input ? "microphone" : "loudspeaker";
    const std::vector<PaDeviceIndex> all = devices_of(input);
    if (all.empty()) throw UsageError(fmt::format("no {} on this machine: {}", kind, no_device_remedy));
    if (wish.empty()) {
        const PaDeviceIndex usual = input ? Pa_GetDefaultInputDevice() : Pa_GetDefaultOutputDevice();
        return usual == paNoDevice ? all.front() : usual;
    }
    std::vector<PaDeviceIndex> fitting;
    std::vector<std::string> names;
    for (const PaDeviceIndex i : all) {
        const std::string name = Pa_GetDeviceInfo(i)->name;
        if (name == wish) return i;
        if (name.find(wish) != std::string::npos) fitting.push_back(i);
        names.push_back(printable(name));
    }
    if (fitting.size() == 1) return fitting.front();
    throw UsageError(fmt::format("{} {}s are named '{}'; there are {}", fitting.empty() ? "no" : "several", kind,
                                 printable(wish), fmt::join(names, ", ")));
}

/// A stream in one direction, at the rate that is wanted or else the device's own.
class Stream {
public:
    Stream(PaDeviceIndex device, bool input, int64_t wanted_rate, PaStreamCallback* callback, void* user) {
        const PaDeviceInfo& info = *Pa_GetDeviceInfo(device);
        name_ = printable(info.name);
        PaStreamParameters parameters{device, 1, paFloat32,
                                      input ? info.defaultLowInputLatency : info.defaultLowOutputLatency, nullptr};
        PaStreamParameters* const in = input ? &parameters : nullptr;
        PaStreamParameters* const out = input ? nullptr : &parameters;
        rate_ = Pa_IsFormatSupported(in, out, static_cast<double>(wanted_rate)) == paFormatIsSupported
                    ? wanted_rate
                    : std::llround(info.defaultSampleRate);
        PaError error = Pa_OpenStream(&stream_, in, out, static_cast<double>(rate_), paFramesPerBufferUnspecified,
                                      paNoFlag, callback, user);
        if (error == paNoError) error = Pa_StartStream(stream_);
        if (error != paNoError)
            throw FileError(fmt::format("{} '{}': can't be opened at {} Hz ({}); 'ech0 talk --devices' lists others",
                                        input ? "microphone" : "loudspeaker", name_, rate_, Pa_GetErrorText(error)));
    }
    ~Stream() {
        if (stream_ == nullptr) return;
        Pa_AbortStream(stream_);
        Pa_CloseStream(stream_);
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    int64_t rate() const { return rate_; }
    const std::string& name() const { return name_; }
    double output_latency_s() const { return Pa_GetStreamInfo(stream_)->outputLatency; }

private:
    PaStream* stream_ = nullptr;
    int64_t rate_ = 0;
    std::string name_;
};

class DeviceAudio : public Audio {
public:
    DeviceAudio(const std::string& input, const std::string& output) {
        require_library();
        const PaDeviceIndex microphone = find_device(input, true);
        loudspeaker_ = find_device(output, false);
        input_.emplace(microphone, true, speech_rate, on_input, this);
        from_device_.emplace(input_->rate(), speech_rate);
    }
    ~DeviceAudio() override {  // no callback after this
        input_.reset();
        output_.reset();
    }

    bool hear(std::span<float> window, bool) override {
        while (speech_.size() < window.size()) {
            const std::vector<float> samples = wait_for_samples();
            check_pace();
            check_not_silent(samples);
            const std::vector<float> more = from_device_->push(samples);
            speech_.insert(speech_.end(), more.begin(), more.end());
        }
        std::copy_n(speech_.begin(), window.size(), window.begin());
        speech_.erase(speech_.begin(), speech_.begin() + static_cast<std::ptrdiff_t>(window.size()));
        n_heard_ += static_cast<int64_t>(window.size());
        return true;
    }

    double now_s() const override { return static_cast<double>(n_heard_.load()) / static_cast<double>(speech_rate); }

    Playback play(const Sound& sound) override {
        const std::lock_guard opening(opening_);
        if (!output_) output_.emplace(loudspeaker_, false, sound.rate, on_output, this);
        const Sound at_rate = resampled(sound, output_->rate());
        const std::lock_guard lock(mutex_);
        const double begin_s = now_s() + static_cast<double>(to_play_.size()) / static_cast<double>(output_->rate()) +
                               (to_play_.empty() ? output_->output_latency_s() : 0);
        to_play_.insert(to_play_.end(), at_rate.samples.begin(), at_rate.samples.end());
        return {begin_s, begin_s + at_rate.seconds()};
    }

    void stop() override {
        const std::lock_guard lock(mutex_);
        to_play_.clear();
    }

    bool playing() const override {
        const std::lock_guard lock(mutex_);
        return !to_play_.empty();
    }

private:
    void require_library() const {
        if (library_.error() != paNoError)
            throw FileError(fmt::format("no sound here ({}): {}", Pa_GetErrorText(library_.error()), no_device_remedy));
    }

    static int on_input(const void* samples, void*, unsigned long n, const PaStreamCallbackTimeInfo*,
                        PaStreamCallbackFlags, void* user) {
        auto& self = *static_cast<DeviceAudio*>(user);
        std::unique_lock lock(self.mutex_);
        const auto* const begin = static_cast<const float*>(samples);
        const bool full = self.heard_.size() > most_unheard;
        if (begin != nullptr && !full) self.heard_.insert(self.heard_.end(), begin, begin + n);
        lock.unlock();
        self.arrived_.notify_one();
        // ALSA's null device gives millions of samples a second, and would never let anybody else have the lock.
        self.n_arrived_ += static_cast<int64_t>(n);
        if (full) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return paContinue;
    }

    static int on_output(const void*, void* samples, unsigned long n, const PaStreamCallbackTimeInfo*,
                         PaStreamCallbackFlags, void* user) {
        auto& self = *static_cast<DeviceAudio*>(user);
        auto* const out = static_cast<float*>(samples);
        const std::lock_guard lock(self.mutex_);
        const size_t there = std::min<size_t>(n, self.to_play_.size());
        std::copy_n(self.to_play_.begin(), there, out);
        std::fill(out + there, out + n, 0.0F);
        self.to_play_.erase(self.to_play_.begin(), self.to_play_.begin() + static_cast<std::ptrdiff_t>(there));
        return paContinue;
    }

    std::vector<float> wait_for_samples() {
        std::unique_lock lock(mutex_);
        for (int tenths = 0; heard_.empty(); tenths++) {
            check_interrupt();
            if (tenths >= static_cast<int>(gone_device_s * 10))
                throw FileError(fmt::format("microphone '{}' gives nothing: is it unplugged? {}", input_->name(),
                                            no_device_remedy));
            arrived_.wait_for(lock, std::chrono::milliseconds(100));
        }
        return std::exchange(heard_, {});
    }

    // A null device gives whatever lies in memory, at once.
    void check_pace() const {
        const double elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - opened_).count();
        if (static_cast<double>(n_arrived_.load()) > (3 * elapsed_s + 10) * static_cast<double>(input_->rate()))
            throw FileError(
                fmt::format("microphone '{}' gives sound faster than time passes: it is no real device; "
                            "'ech0 talk --devices' lists others for --input",
                            input_->name()));
    }

    void check_not_silent(const std::vector<float>& samples) {
        if (n_zeros_ < 0) return;
        const bool silent = std::all_of(samples.begin(), samples.end(), [](float sample) { return sample == 0; });
        n_zeros_ = silent ? n_zeros_ + static_cast<int64_t>(samples.size()) : -1;
        if (n_zeros_ > static_cast<int64_t>(silent_device_s) * input_->rate())
            throw FileError(
                fmt::format("microphone '{}' gives pure silence: it is switched off, or no real device; "
                            "'ech0 talk --devices' lists others for --input",
                            input_->name()));
    }

    Library library_;
    PaDeviceIndex loudspeaker_ = paNoDevice;
    std::optional<Stream> input_, output_;
    std::optional<Resampler> from_device_;
    std::vector<float> speech_;  // at speech_rate, not yet asked for
    std::atomic<int64_t> n_heard_ = 0, n_arrived_ = 0;
    std::chrono::steady_clock::time_point opened_ = std::chrono::steady_clock::now();
    int64_t n_zeros_ = 0;  // at the beginning; -1 once there was sound
    std::mutex opening_;
    mutable std::mutex mutex_;  // of what the callbacks use
    std::condition_variable arrived_;
    std::vector<float> heard_;
    std::deque<float> to_play_;
};

}  // namespace

AudioDevices audio_devices() {
    const Library library;
    if (library.error() != paNoError)
        return {{}, {}, fmt::format("no sound here ({}): {}", Pa_GetErrorText(library.error()), no_device_remedy)};
    AudioDevices devices{list(true), list(false), ""};
    if (devices.inputs.empty()) devices.problem = fmt::format("no microphone on this machine: {}", no_device_remedy);
    return devices;
}

std::unique_ptr<Audio> device_audio(const std::string& input, const std::string& output) {
    return std::make_unique<DeviceAudio>(input, output);
}

}  // namespace ech0
