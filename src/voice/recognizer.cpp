#include "voice/recognizer.h"

#include <algorithm>
#include <cctype>

namespace ech0 {

bool has_words(const std::string& transcript) {
    std::string outside;
    int depth = 0;
    for (const char c : transcript) {
        if (c == '[' || c == '(') depth++;
        if (depth == 0) outside += c;
        if ((c == ']' || c == ')') && depth > 0) depth--;
    }
    return std::any_of(outside.begin(), outside.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0 || c >= 0x80; });
}

}  // namespace ech0
