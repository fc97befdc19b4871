#include "verify/overlap.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace ech0 {
namespace {

constexpr size_t n_words = 13;
constexpr uint64_t hash_start = 14695981039346656037U, hash_prime = 1099511628211U;  // FNV-1a, 64 bit

enum class Kind { separator, part_of_word, word_alone };

/// What the character at `at` is, and its length in bytes. Of the characters outside ASCII only two kinds matter:
/// general, Chinese and full-width punctuation (UTF-8 E2 80 xx, E3 80 xx, EF xx xx), and U+3040 to U+DFFF (E3 81 … ED
/// xx xx), where one character is about a word.
struct Character {
    Kind kind = Kind::separator;
    size_t length = 1;
};

Character character_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = byte(at), second = byte(at + 1);
    if (first < 0x80) return {std::isalnum(static_cast<int>(first)) != 0 ? Kind::part_of_word : Kind::separator, 1};
    if (first == 0xEF || ((first == 0xE2 || first == 0xE3) && second == 0x80)) return {Kind::separator, 3};
    if (first >= 0xE3 && first <= 0xED) return {Kind::word_alone, 3};
    return {Kind::part_of_word, 1};
}

/// One hash per word, in order.
std::vector<uint64_t> hash_words(std::string_view text) {
    std::vector<uint64_t> words;
    uint64_t hash = hash_start;
    const auto end_word = [&] {
        if (hash != hash_start) words.push_back(hash);
        hash = hash_start;
    };
    const auto add = [&](unsigned char byte) {
        hash = (hash ^ (byte >= 'A' && byte <= 'Z' ? byte + 32U : byte)) * hash_prime;
    };
    for (size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        const size_t end = std::min(at + character.length, text.size());
        if (character.kind != Kind::part_of_word) end_word();
        if (character.kind != Kind::separator) {
            for (size_t i = at; i < end; ++i) add(static_cast<unsigned char>(text[i]));
        }
        if (character.kind == Kind::word_alone) end_word();
        at = end;
    }
    end_word();
    return words;
}

/// One hash per sequence of 13 words.
std::vector<uint64_t> hash_sequences(std::string_view text) {
    const std::vector<uint64_t> words = hash_words(text);
    std::vector<uint64_t> sequences;
    for (size_t i = 0; i + n_words <= words.size(); ++i) {
        uint64_t hash = hash_start;
        for (size_t k = 0; k < n_words; ++k) hash = (hash ^ words[i + k]) * hash_prime;
        sequences.push_back(hash);
    }
    return sequences;
}

}  // namespace

double overlap(std::string_view evaluation, std::string_view calibration) {
    const std::vector<uint64_t> calibrated = hash_sequences(calibration);
    const std::unordered_set<uint64_t> known(calibrated.begin(), calibrated.end());
    const std::vector<uint64_t> evaluated = hash_sequences(evaluation);
    if (evaluated.empty()) return 0;
    int64_t n_known = 0;
    for (const uint64_t sequence : evaluated) n_known += known.contains(sequence) ? 1 : 0;
    return static_cast<double>(n_known) / static_cast<double>(evaluated.size());
}

}  // namespace ech0
