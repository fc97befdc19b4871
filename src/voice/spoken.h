#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// What a voice should say of a line or sentence of Markdown: marks of headings, lists, emphasis, code, tables, links
/// and HTML are gone, an address is its host, emoji are gone. Empty if there is nothing to say.
std::string spoken(std::string_view markdown);

}  // namespace ech0
