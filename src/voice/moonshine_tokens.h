#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ech0 {

/// Moonshine's tokenizer.bin as the tokens.txt that sherpa-onnx reads: a line "BASE64 ID" for each token. In the binary
/// file each token is its length (one byte, or two from 128 on: low 7 bits with the high bit set, then the rest) and
/// its bytes.
/// @throws FormatError if it ends inside a token
std::string moonshine_tokens(std::string_view tokenizer);

/// Beside tokenizer.bin, in its folder.
void write_moonshine_tokens(const std::filesystem::path& folder);

}  // namespace ech0
