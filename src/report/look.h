#pragma once

#include <cstdint>
#include <string>

namespace ech0 {

/// How a report is written out. As it stands by default it is plain ASCII without colour, for a file or a pipe.
struct Look {
    bool markdown = false;  ///< as GitHub reads it; else lines for a terminal
    bool unicode = false;   ///< finer bars and marks, where the terminal's encoding has them
    bool colour = false;
    int64_t width = 80;   ///< columns that a drawing may have
    int64_t columns = 0;  ///< of the terminal, that no line may exceed; 0: any, as in a file or a pipe
};

/// Lines longer than the terminal broken at blanks, with the indent that they have; rows of tables (two blanks in a
/// row), commands and words that are longer by themselves stay whole.
std::string wrapped(const std::string& text, const Look& look);

/// A heading: as it is, or in Markdown as one.
std::string heading_text(const std::string& title, const Look& look);

/// A command to type, alone on its lines.
std::string command_text(const std::string& command, const Look& look);

}  // namespace ech0
