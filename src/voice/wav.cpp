// WAV is RIFF: "RIFF", a length, "WAVE", then chunks of a name of four letters, a length and so many bytes (and one
// more to make them even). "fmt " tells the format of "data". Source: Microsoft, "Multimedia Programming Interface and
// Data Specifications 1.0", and WAVEFORMATEXTENSIBLE for the form with sub-formats.

#include "voice/wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/file.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr uint16_t format_pcm = 1, format_float = 3, format_extensible = 0xFFFE;
constexpr int64_t least_rate = 4000, most_rate = 384000;
constexpr uint16_t most_channels = 8;
// eSpeak NG puts 0x7FFFF000, sox 0x7FFFFFFF less the header, ffmpeg 0xFFFFFFFF.
constexpr uint32_t least_unknown_length = 0x7FFFF000;

constexpr const char* wanted = "wanted a WAV file of 16-bit PCM or 32-bit float, such as 'sox IN -b 16 OUT.wav' writes";

template <class T>
T little(std::string_view bytes, size_t at) {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

struct Format {
    uint16_t kind = 0, channels = 0, bits = 0;
    uint32_t rate = 0;
};

class Reader {
public:
    Reader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

    Sound read() {
        if (bytes_.size() < 12 || bytes_.substr(0, 4) != "RIFF" || bytes_.substr(8, 4) != "WAVE")
            refuse("no RIFF/WAVE header");
        std::optional<Format> format;
        for (size_t at = 12; at + 8 <= bytes_.size();) {
            const std::string_view id = bytes_.substr(at, 4);
            const auto length = little<uint32_t>(bytes_, at + 4);
            const size_t there = bytes_.size() - at - 8;
            if (id == "fmt ") format = read_format(at + 8, length);
            if (id == "data") {
                if (!format) refuse("its samples come before their format");
                return read_samples(*format, at + 8, length_of_data(length, there));
            }
            if (length > there)
                refuse(fmt::format("chunk '{}' has {} bytes, {} are left", printable(id), length, there));
            at += 8 + length + length % 2;
        }
        refuse("no samples in it");
    }

private:
    [[noreturn]] void refuse(std::string_view why) const {
        throw FormatError(fmt::format("{}: {}; {}", name_, why, wanted));
    }

    Format read_format(size_t at, uint32_t length) const {
        if (length < 16 || bytes_.size() - at < length) refuse(fmt::format("a format of {} bytes", length));
        Format format{little<uint16_t>(bytes_, at), little<uint16_t>(bytes_, at + 2), little<uint16_t>(bytes_, at + 14),
                      little<uint32_t>(bytes_, at + 4)};
        if (format.kind == format_extensible && length >= 40) format.kind = little<uint16_t>(bytes_, at + 24);
        const bool known =
            (format.kind == format_pcm && format.bits == 16) || (format.kind == format_float && format.bits == 32);
        if (!known) refuse(fmt::format("samples of format {} with {} bits", format.kind, format.bits));
        if (format.channels < 1 || format.channels > most_channels)
            refuse(fmt::format("{} channels, at most {} are read", format.channels, most_channels));
        if (format.rate < least_rate || format.rate > most_rate)
            refuse(fmt::format("{} samples per second, {} to {} are read", format.rate, least_rate, most_rate));
        if (little<uint16_t>(bytes_, at + 12) != format.channels * format.bits / 8)
            refuse(fmt::format("frames of {} bytes, {} channels of {} bits need {}", little<uint16_t>(bytes_, at + 12),
                               format.channels, format.bits, format.channels * format.bits / 8));
        return format;
    }

    size_t length_of_data(uint32_t length, size_t there) const {
        if (length <= there) return length;
        if (length < least_unknown_length)
            refuse(fmt::format("cut off: {} bytes of samples, {} are there", length, there));
        return there;
    }

    Sound read_samples(const Format& format, size_t at, size_t length) const {
        const size_t frame = format.channels * format.bits / 8U;
        Sound sound{format.rate, std::vector<float>(length / frame)};
        for (float& sample : sound.samples) {
            float sum = 0;
            for (uint16_t channel = 0; channel < format.channels; channel++, at += format.bits / 8U)
                sum += format.kind == format_pcm ? static_cast<float>(little<int16_t>(bytes_, at)) / 32768.0F
                                                 : little<float>(bytes_, at);
            if (!std::isfinite(sum)) refuse(fmt::format("sample {} is no number", &sample - sound.samples.data()));
            // Nobody's sound is louder than this, and sums of such samples stay numbers.
            sample = std::clamp(sum / static_cast<float>(format.channels), -16.0F, 16.0F);
        }
        return sound;
    }

    std::string_view bytes_;
    const std::string& name_;
};

template <class T>
void put(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

Sound parse_wav(std::string_view bytes, const std::string& name) { return Reader(bytes, name).read(); }

Sound read_wav(const std::filesystem::path& file) { return parse_wav(read_file(file), printable(file.string(), 400)); }

std::string wav_bytes(const Sound& sound) {
    // The longest that the header can tell: 18 hours at 16 kHz.
    const size_t n = std::min<size_t>(sound.samples.size(), (UINT32_MAX - 64) / 2);
    const auto data_bytes = static_cast<uint32_t>(n * 2);
    std::string bytes = "RIFF";
    bytes.reserve(44 + data_bytes);
    put<uint32_t>(bytes, 36 + data_bytes);
    bytes += "WAVEfmt ";
    put<uint32_t>(bytes, 16);
    put<uint16_t>(bytes, format_pcm);
    put<uint16_t>(bytes, 1);
    put<uint32_t>(bytes, static_cast<uint32_t>(sound.rate));
    put<uint32_t>(bytes, static_cast<uint32_t>(sound.rate) * 2);
    put<uint16_t>(bytes, 2);
    put<uint16_t>(bytes, 16);
    bytes += "data";
    put<uint32_t>(bytes, data_bytes);
    for (size_t i = 0; i < n; i++)
        put(bytes, static_cast<int16_t>(std::lround(std::clamp(sound.samples[i], -1.0F, 1.0F) * 32767.0F)));
    return bytes;
}

void write_wav(const std::filesystem::path& file, const Sound& sound) { write_file(file, wav_bytes(sound)); }

}  // namespace ech0
