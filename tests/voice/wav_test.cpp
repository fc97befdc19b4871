#include "voice/wav.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::string u16(uint32_t value) { return {static_cast<char>(value), static_cast<char>(value >> 8)}; }
std::string u32(uint32_t value) { return u16(value & 0xFFFF) + u16(value >> 16); }

std::string chunk(const std::string& id, const std::string& content) {
    return id + u32(static_cast<uint32_t>(content.size())) + content + std::string(content.size() % 2, '\0');
}

std::string format_chunk(uint32_t kind, uint32_t channels, uint32_t rate, uint32_t bits) {
    return chunk("fmt ", u16(kind) + u16(channels) + u32(rate) + u32(rate * channels * bits / 8) +
                             u16(channels * bits / 8) + u16(bits));
}

std::string riff(const std::string& chunks) {
    return "RIFF" + u32(static_cast<uint32_t>(4 + chunks.size())) + "WAVE" + chunks;
}

std::string floats(const std::vector<float>& values) {
    std::string bytes(values.size() * 4, '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

std::string complaint(const std::string& bytes) {
    try {
        parse_wav(bytes, "a.wav");
    } catch (const FormatError& error) {
        return error.what();
    }
    return "none";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::string small = riff(format_chunk(1, 1, 8000, 16) + chunk("data", u16(0) + u16(16384) + u16(0xC000)));

}  // namespace

TEST_CASE("a WAV file of 16 bits is read as it was written") {
    const TemporaryFolder folder;
    Sound sound{22050, {}};
    for (int i = 0; i < 1000; i++) sound.samples.push_back(std::sin(static_cast<float>(i) * 0.1F));
    write_wav(folder / "a.wav", sound);
    const Sound read = read_wav(folder / "a.wav");
    CHECK(read.rate == 22050);
    REQUIRE(read.samples.size() == sound.samples.size());
    for (size_t i = 0; i < read.samples.size(); i++) CHECK(std::abs(read.samples[i] - sound.samples[i]) < 1.0F / 16000);
}

TEST_CASE("what is louder than full scale is clipped when it is written") {
    const Sound read = parse_wav(wav_bytes({16000, {2.0F, -3.0F}}), "a.wav");
    CHECK(read.samples[0] == doctest::Approx(1).epsilon(0.001));
    CHECK(read.samples[1] == doctest::Approx(-1).epsilon(0.001));
}

TEST_CASE("samples of 16 bits and of floats, of one channel and of several, give the numbers that they stand for") {
    const Sound mono = parse_wav(small, "a.wav");
    CHECK(mono.rate == 8000);
    CHECK(mono.samples == std::vector<float>{0, 0.5F, -0.5F});
    const Sound stereo =
        parse_wav(riff(format_chunk(3, 2, 48000, 32) + chunk("data", floats({1, 0, 0.5F, -0.5F}))), "a.wav");
    CHECK(stereo.samples == std::vector<float>{0.5F, 0});
    const std::string extensible = chunk("fmt ", u16(0xFFFE) + u16(1) + u32(8000) + u32(16000) + u16(2) + u16(16) +
                                                     u16(22) + u16(16) + u32(4) + u16(1) + std::string(14, '\0'));
    CHECK(parse_wav(riff(extensible + chunk("data", u16(16384))), "a.wav").samples == std::vector<float>{0.5F});
}

TEST_CASE("chunks that nobody asked for are passed over, also those of odd length") {
    const std::string bytes =
        riff(chunk("LIST", "odd") + format_chunk(1, 1, 8000, 16) + chunk("junk", "x") + chunk("data", u16(16384)));
    CHECK(parse_wav(bytes, "a.wav").samples == std::vector<float>{0.5F});
}

TEST_CASE("a length that a writer to a pipe did not know means: to the end") {
    for (const uint32_t unknown : {0x7FFFF000U, 0x7FFFFFDBU, 0xFFFFFFFFU}) {
        const std::string bytes =
            "RIFF" + u32(unknown) + "WAVE" + format_chunk(1, 1, 8000, 16) + "data" + u32(unknown) + u16(16384) + u16(0);
        CHECK(parse_wav(bytes, "a.wav").samples.size() == 2);
    }
}

TEST_CASE("a WAV file that is cut at any place is refused in one line, or is shorter") {
    for (size_t n = 0; n < small.size(); n++) {
        const std::string said = complaint(small.substr(0, n));
        CAPTURE(n);
        CHECK(said.starts_with("a.wav: "));
        CHECK(!has(said, "\n"));
    }
    CHECK(has(complaint(small.substr(0, small.size() - 1)), "cut off: 6 bytes of samples, 5 are there"));
}

TEST_CASE("a WAV file of any single changed byte is read or refused, and never more than that") {
    for (size_t at = 0; at < small.size(); at++)
        for (int value = 0; value < 256; value++) {
            std::string bytes = small;
            bytes[at] = static_cast<char>(value);
            size_t n_samples = 0;
            try {
                n_samples = parse_wav(bytes, "a.wav").samples.size();
            } catch (const FormatError&) {}
            CHECK(n_samples <= 6);
        }
}

TEST_CASE("WAV files that are not read say what they are and what is wanted") {
    const std::string data = chunk("data", std::string(24, '\0'));
    CHECK(has(complaint("ID3 and so on, an MP3 file"), "a.wav: no RIFF/WAVE header; wanted a WAV file of 16-bit PCM"));
    CHECK(has(complaint(riff(format_chunk(1, 1, 8000, 8) + data)), "samples of format 1 with 8 bits"));
    CHECK(has(complaint(riff(format_chunk(1, 1, 8000, 24) + data)), "samples of format 1 with 24 bits"));
    CHECK(has(complaint(riff(format_chunk(7, 1, 8000, 8) + data)), "samples of format 7"));
    CHECK(has(complaint(riff(format_chunk(1, 0, 8000, 16) + data)), "0 channels"));
    CHECK(has(complaint(riff(format_chunk(1, 9, 8000, 16) + data)), "9 channels, at most 8"));
    CHECK(has(complaint(riff(format_chunk(1, 1, 7, 16) + data)), "7 samples per second, 4000 to 384000 are read"));
    CHECK(has(complaint(riff(data)), "its samples come before their format"));
    CHECK(has(complaint(riff(chunk("fmt ", "short") + data)), "a format of 5 bytes"));
    CHECK(has(complaint(riff(format_chunk(1, 1, 8000, 16))), "no samples in it"));
    CHECK(has(complaint(riff("junk" + u32(0x7FFFFFFE))), "chunk 'junk' has 2147483646 bytes, 0 are left"));
    std::string frames = format_chunk(1, 1, 8000, 16);
    frames[20] = 3;
    CHECK(has(complaint(riff(frames + data)), "frames of 3 bytes"));
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(
        has(complaint(riff(format_chunk(3, 1, 8000, 32) + chunk("data", floats({0, nan})))), "sample 1 is no number"));
}

TEST_CASE("a WAV file without samples is one of no length") {
    CHECK(parse_wav(riff(format_chunk(1, 1, 8000, 16) + chunk("data", "")), "a.wav").samples.empty());
}
