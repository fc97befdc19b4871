#pragma once

#include <cstdint>

namespace ech0 {

/// How a report is written out. As it stands by default it is plain ASCII without colour, for a file or a pipe.
struct Look {
    bool markdown = false;  ///< as GitHub reads it; else lines for a terminal
    bool unicode = false;   ///< finer bars and marks, where the terminal's encoding has them
    bool colour = false;
    int64_t width = 80;  ///< columns of the terminal
};

}  // namespace ech0
