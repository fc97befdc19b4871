#include "voice/language.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ech0 {

// The languages that Piper has voices for, and what eSpeak NG calls differently.
std::string language_name(std::string_view code) {
    using Name = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Name, 44> names = {{
        {"ar", "Arabic"},        {"bg", "Bulgarian"}, {"ca", "Catalan"},   {"cmn", "Chinese"},   {"cs", "Czech"},
        {"cy", "Welsh"},         {"da", "Danish"},    {"de", "German"},    {"el", "Greek"},      {"en", "English"},
        {"es", "Spanish"},       {"eu", "Basque"},    {"fa", "Persian"},   {"fi", "Finnish"},    {"fr", "French"},
        {"he", "Hebrew"},        {"hi", "Hindi"},     {"hu", "Hungarian"}, {"id", "Indonesian"}, {"is", "Icelandic"},
        {"it", "Italian"},       {"ja", "Japanese"},  {"ka", "Georgian"},  {"kk", "Kazakh"},     {"ko", "Korean"},
        {"lb", "Luxembourgish"}, {"lv", "Latvian"},   {"ml", "Malayalam"}, {"nb", "Norwegian"},  {"ne", "Nepali"},
        {"nl", "Dutch"},         {"no", "Norwegian"}, {"pl", "Polish"},    {"pt", "Portuguese"}, {"ro", "Romanian"},
        {"ru", "Russian"},       {"sk", "Slovak"},    {"sl", "Slovenian"}, {"sr", "Serbian"},    {"sv", "Swedish"},
        {"sw", "Swahili"},       {"te", "Telugu"},    {"uk", "Ukrainian"}, {"zh", "Chinese"},
    }};
    const std::string_view language = code.substr(0, code.find_first_of("-_"));
    const auto found =
        std::find_if(names.begin(), names.end(), [&](const Name& name) { return name.first == language; });
    return found == names.end() ? "" : std::string(found->second);
}

}  // namespace ech0
