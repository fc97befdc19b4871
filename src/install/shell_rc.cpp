#include "install/shell_rc.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view begin_mark = "# >>> ech0 >>>", end_mark = "# <<< ech0 <<<";

std::string block_text(std::string_view shell, const fs::path& production) {
    const std::string file = shell_word(production.string());
    const std::string read = shell == "fish" ? fmt::format("test -f {0}; and source {0}", file)
                                             : fmt::format("if [ -f {0} ]; then . {0}; fi", file);
    return fmt::format("{}\n{}\n{}\n", begin_mark, read, end_mark);
}

// Of a line that is the mark and nothing else.
size_t find_line(std::string_view text, std::string_view line) {
    for (size_t at = 0; (at = text.find(line, at)) != std::string_view::npos; at++) {
        const size_t end = at + line.size();
        if ((at == 0 || text[at - 1] == '\n') && (end == text.size() || text[end] == '\n')) return at;
    }
    return std::string_view::npos;
}

int64_t line_number(std::string_view text, size_t at) {
    return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
}

const char* variable(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

fs::path shell_rc_file(std::string_view shell) {
    if (shell == "bash") return home_folder() / ".bashrc";
    if (shell == "zsh")
        return fs::path(variable("ZDOTDIR") != nullptr ? variable("ZDOTDIR") : home_folder()) / ".zshrc";
    if (shell == "fish") {
        const char* const base = variable("XDG_CONFIG_HOME");
        return (base != nullptr ? fs::path(base) : home_folder() / ".config") / "fish" / "config.fish";
    }
    throw UsageError(fmt::format("--shell-rc: no shell '{}'; bash, zsh and fish are known", printable(shell)));
}

std::string login_shell() {
    const char* const shell = variable("SHELL");
    if (shell == nullptr) throw UsageError("--shell-rc auto: SHELL is not set; name bash, zsh or fish");
    std::string name = fs::path(shell).filename().string();
    shell_rc_file(name);
    return name;
}

std::string with_shell_block(std::string_view text, std::string_view shell, const fs::path& production,
                             const std::string& name) {
    const std::string block = block_text(shell, production);
    const size_t begin = find_line(text, begin_mark), end = find_line(text, end_mark);
    const bool has_begin = begin != std::string_view::npos, has_end = end != std::string_view::npos;
    if (has_begin != has_end || (has_begin && end < begin))
        throw FormatError(
            fmt::format("{}: line {}: '{}' stands without its other mark; remove the rest of ech0's block", name,
                        line_number(text, has_begin ? begin : end), has_begin ? begin_mark : end_mark));
    std::string result(text);
    if (has_begin) return result.replace(begin, std::min(end + end_mark.size() + 1, text.size()) - begin, block);
    if (!result.empty() && !result.ends_with('\n')) result += '\n';
    return result + block;
}

}  // namespace ech0
