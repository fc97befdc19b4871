#include "voice/moonshine_tokens.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/file.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (size_t at = 0; at < bytes.size(); at += 3) {
        uint32_t three = 0;
        for (size_t i = 0; i < 3; i++)
            three = (three << 8) | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        for (size_t i = 0; i < 4; i++) text += at + i > bytes.size() ? '=' : digits[(three >> (18 - 6 * i)) & 63];
    }
    return text;
}

// SentencePiece writes a blank as this.
std::string with_blanks(std::string_view token) {
    constexpr std::string_view mark = "\u2581";
    std::string text(token);
    for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at++) text.replace(at, mark.size(), " ");
    return text;
}

}  // namespace

std::string moonshine_tokens(std::string_view tokenizer) {
    std::string text;
    const auto byte = [&](size_t at) -> size_t {
        if (at >= tokenizer.size())
            throw FormatError(fmt::format("tokenizer.bin: ends inside a token, after {} bytes", tokenizer.size()));
        return static_cast<unsigned char>(tokenizer[at]);
    };
    int64_t id = 0;
    for (size_t at = 0; at < tokenizer.size(); id++) {
        size_t length = byte(at++);
        if (length >= 128) length = byte(at++) * 128 + length - 128;
        if (length > 0) byte(at + length - 1);
        text += fmt::format("{} {}\n", base64(with_blanks(tokenizer.substr(at, length))), id);
        at += length;
    }
    return text;
}

void write_moonshine_tokens(const std::filesystem::path& folder) {
    write_file(folder / "tokens.txt", moonshine_tokens(read_file(folder / "tokenizer.bin")));
}

}  // namespace ech0
