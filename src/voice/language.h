#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// The English name of a language, which models understand best. @param code  as eSpeak NG and BCP 47 have it: "en-us",
/// "pt_BR", "de"
/// @return "English"; "" for one that no Piper voice speaks
std::string language_name(std::string_view code);

}  // namespace ech0
