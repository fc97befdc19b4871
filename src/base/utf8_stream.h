#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// Whole characters out of bytes that come in pieces. A token of a language model is a few bytes, not a few characters:
/// half of "é" may come now and the other half with the next token. What is no UTF-8 becomes U+FFFD.
class Utf8Stream {
public:
    /// @return the characters that are complete now
    std::string push(std::string_view bytes);
    /// The bytes end here. @return U+FFFD if they end inside a character, else nothing
    std::string finish();

private:
    std::string rest_;  // the beginning of a character, at most 3 bytes
};

}  // namespace ech0
