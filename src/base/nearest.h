#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// Letters to insert, remove or change to come from one word to the other. Source: Levenshtein 1966.
size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that was probably meant ("did you mean …?"), or "" if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace ech0
