#pragma once

#include <cstdint>
#include <string>

namespace ech0 {

/// How a report is written out. As it stands by default it is plain ASCII without colour, for a file or a pipe.
struct Look {
    bool markdown = false;  ///< as GitHub reads it; else lines for a terminal
    bool unicode = false;   ///< finer bars and marks, where the terminal's encoding has them
    bool colour = false;
    int64_t width = 80;  ///< columns of the terminal
};

/// A heading: as it is, or in Markdown as one.
std::string heading_text(const std::string& title, const Look& look);

/// A command to type, alone on its lines.
std::string command_text(const std::string& command, const Look& look);

}  // namespace ech0
