#include "report/look.h"

namespace ech0 {

std::string heading_text(const std::string& title, const Look& look) {
    return look.markdown ? "# " + title + "\n\n" : title + "\n";
}

std::string command_text(const std::string& command, const Look& look) {
    return look.markdown ? "```\n" + command + "\n```\n" : "  " + command + "\n";
}

}  // namespace ech0
