#include "cli/terminal_look.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

namespace ech0 {
namespace {

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// By POSIX the first of these that is set and not empty says what characters are.
bool is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string value = variable(name);
        if (value.empty()) continue;
        std::transform(value.begin(), value.end(), value.begin(), [](unsigned char c) { return std::tolower(c); });
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

}  // namespace

Look terminal_look() {
    Look look;
    const bool terminal = isatty(STDOUT_FILENO) == 1, dumb = variable("TERM") == "dumb";
    look.unicode = is_utf8() && !dumb;
    look.colour = terminal && !dumb && variable("NO_COLOR").empty();
    winsize size{};
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        look.width = look.columns = size.ws_col;
    return look;
}

}  // namespace ech0
