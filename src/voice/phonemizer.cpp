#include "voice/phonemizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// speak_lib.h of eSpeak NG, unchanged for ten years.
constexpr int audio_output_synchronous = 2;
constexpr int dont_exit = 0x8000;
constexpr int chars_utf8 = 1;
constexpr int phonemes_ipa = 2;
constexpr int no_error = 0;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0; }

bool is_mark(char c) { return std::string_view(".,;:!?").find(c) != std::string_view::npos; }

bool ends_word(std::string_view text, size_t at) {
    return at + 1 == text.size() || std::string_view(" \")'").find(text[at + 1]) != std::string_view::npos;
}

// A full stop behind two letters or fewer, with more to come, is taken for an abbreviation's ("Dr. No", "e.g. this"):
// the voice goes on, which does little harm where it is none.
bool abbreviates(std::string_view text, size_t at) {
    const bool more = std::any_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_word);
    size_t letters = 0;
    while (letters < at && is_word(text[at - 1 - letters])) letters++;
    return more && letters <= 2;
}

std::vector<int32_t> code_points(std::string_view text) {
    std::vector<int32_t> points;
    for (size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const size_t n = byte < 0x80 ? 1 : std::max<size_t>(utf8_length(text, at), 1);
        int32_t point = n == 1 ? byte : byte & (0x7F >> n);
        for (size_t i = 1; i < n; i++) point = (point << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3F);
        points.push_back(point);
        at += n;
    }
    return points;
}

}  // namespace

std::vector<Clause> clauses(std::string_view text) {
    std::vector<Clause> found;
    const auto take = [&](std::string_view clause, char mark) {
        if (std::any_of(clause.begin(), clause.end(), is_word)) found.push_back({std::string(clause), mark});
    };
    size_t begin = 0;
    for (size_t at = 0; at < text.size(); at++) {
        if (!is_mark(text[at]) || !ends_word(text, at) || (text[at] == '.' && abbreviates(text, at))) continue;
        take(text.substr(begin, at - begin), text[at]);
        begin = at + 1;
    }
    take(text.substr(begin), '.');
    return found;
}

Phonemizer::Phonemizer(const std::filesystem::path& library, const std::filesystem::path& data,
                       const std::string& language)
    : library_(library) {
    const auto initialize = library_.function<int (*)(int, int, const char*, int)>("espeak_Initialize");
    const auto set_voice = library_.function<int (*)(const char*)>("espeak_SetVoiceByName");
    text_to_phonemes_ = library_.function<decltype(text_to_phonemes_)>("espeak_TextToPhonemes");
    terminate_ = library_.function<decltype(terminate_)>("espeak_Terminate");
    const std::string folder = data.string();
    if (initialize(audio_output_synchronous, 0, folder.empty() ? nullptr : folder.c_str(), dont_exit) < 0)
        throw EngineError(fmt::format("{}: eSpeak NG finds no data in {}; 'ech0 setup --voice' fetches it",
                                      library.string(), folder.empty() ? "its own folder" : folder));
    if (set_voice(language.c_str()) != no_error) {
        terminate_();
        throw EngineError(fmt::format("eSpeak NG has no language '{}'; 'espeak-ng --voices' lists them", language));
    }
}

Phonemizer::~Phonemizer() { terminate_(); }

std::string Phonemizer::ipa(const std::string& clause) {
    std::string all;
    const void* rest = clause.c_str();
    while (rest != nullptr) {  // a long clause comes in parts
        const char* const part = text_to_phonemes_(&rest, chars_utf8, phonemes_ipa);
        if (part != nullptr && *part != 0) all += (all.empty() ? "" : " ") + std::string(part);
    }
    return all;
}

std::vector<int32_t> Phonemizer::phonemes(std::string_view text) {
    std::string all;
    for (const Clause& clause : clauses(text)) {
        const std::string said = ipa(clause.text);
        if (!said.empty()) all += (all.empty() ? "" : " ") + said + clause.mark;
    }
    return code_points(all);
}

}  // namespace ech0
