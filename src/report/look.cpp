#include "report/look.h"

#include <sstream>

#include "report/table.h"

namespace ech0 {
namespace {

bool is_prose(const std::string& line, size_t indent) {
    return line.compare(indent, 5, "ech0 ") != 0 && line.find("  ", indent) == std::string::npos;
}

std::string wrapped_line(const std::string& line, size_t indent, size_t columns) {
    const std::string blank(indent, ' ');
    std::istringstream words(line);
    std::string out, now;
    for (std::string word; words >> word;) {
        if (!now.empty() && text_width(now) + 1 + text_width(word) > columns) {
            out += now + "\n";
            now.clear();
        }
        now += (now.empty() ? blank : " ") + word;
    }
    return out + now;
}

}  // namespace

std::string wrapped(const std::string& text, const Look& look) {
    const auto columns = static_cast<size_t>(look.columns);
    if (columns == 0 || look.markdown) return text;
    std::string out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const size_t indent = line.find_first_not_of(' ');
        const bool is_long = indent != std::string::npos && indent < columns / 2 && text_width(line) > columns;
        out += (is_long && is_prose(line, indent) ? wrapped_line(line, indent, columns) : line) + "\n";
    }
    if (!text.empty() && text.back() != '\n') out.pop_back();
    return out;
}

std::string heading_text(const std::string& title, const Look& look) {
    return look.markdown ? "# " + title + "\n\n" : title + "\n";
}

std::string command_text(const std::string& command, const Look& look) {
    return look.markdown ? "```\n" + command + "\n```\n" : "  " + command + "\n";
}

}  // namespace ech0
