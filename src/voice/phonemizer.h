#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "voice/shared_library.h"

namespace ech0 {

/// Where a text's clauses end, and with which mark: {"Well", ','}, {"is it", '?'}.
struct Clause {
    std::string text;
    char mark = '.';
};
std::vector<Clause> clauses(std::string_view text);

/// Text to phonemes (IPA), as Piper's voices were trained on: eSpeak NG's rules, clause by clause, with the marks
/// between them. eSpeak NG has one state for a process, so one of these at a time.
class Phonemizer {
public:
    /// @param library  libespeak-ng
    /// @param data  its espeak-ng-data; empty: where the library was built to look
    /// @param language  as eSpeak NG names voices: "en-us"
    /// @throws FileError if the library can't be loaded; EngineError if it finds no data or no such language
    Phonemizer(const std::filesystem::path& library, const std::filesystem::path& data, const std::string& language);
    ~Phonemizer();
    Phonemizer(const Phonemizer&) = delete;
    Phonemizer& operator=(const Phonemizer&) = delete;

    /// Code points; empty if there is nothing to say.
    std::vector<int32_t> phonemes(std::string_view text);

private:
    std::string ipa(const std::string& clause);

    SharedLibrary library_;
    const char* (*text_to_phonemes_)(const void** text, int text_mode, int phoneme_mode) = nullptr;
    int (*terminate_)() = nullptr;
};

}  // namespace ech0
