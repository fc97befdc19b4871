#include "install/change.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr size_t context_lines = 3;

// With its newline, so that a last line without one differs from one with it.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const size_t end = text.find('\n');
        lines.push_back(text.substr(0, end == std::string_view::npos ? text.size() : end + 1));
        text.remove_prefix(lines.back().size());
    }
    return lines;
}

std::string marked(char mark, std::string_view line) {
    const bool whole = line.ends_with('\n');
    return mark + printable(whole ? line.substr(0, line.size() - 1) : line, 4000) +
           (whole ? "\n" : "\n\\ No newline at end of file\n");
}

}  // namespace

FileEdit edit_of(const fs::path& file) {
    std::error_code failure;
    FileEdit edit;
    edit.file = fs::is_symlink(file, failure) ? fs::weakly_canonical(file) : file;
    if (fs::exists(edit.file, failure)) edit.before = read_file(edit.file);
    edit.after = edit.before;
    return edit;
}

// One hunk from the first line that differs to the last: our changes stand close together.
std::string diff_text(const FileEdit& edit) {
    if (!edit.changes()) return "";
    const std::string old_text = edit.before.value_or(""), new_text = edit.after.value_or("");
    const std::vector<std::string_view> a = lines_of(old_text), b = lines_of(new_text);
    size_t head = 0, tail = 0;
    while (head < std::min(a.size(), b.size()) && a[head] == b[head]) head++;
    while (tail < std::min(a.size(), b.size()) - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) tail++;
    const size_t first = head - std::min(head, context_lines), after = std::min(tail, context_lines);
    const size_t n_old = a.size() - tail + after - first, n_new = b.size() - tail + after - first;

    const std::string name = printable(edit.file.string(), 4000);
    std::string text = fmt::format("--- {}\n+++ {}\n@@ -{},{} +{},{} @@\n", edit.before ? name : "/dev/null",
                                   edit.after ? name : "/dev/null", n_old > 0 ? first + 1 : first, n_old,
                                   n_new > 0 ? first + 1 : first, n_new);
    for (size_t i = first; i < head; i++) text += marked(' ', a[i]);
    for (size_t i = head; i < a.size() - tail; i++) text += marked('-', a[i]);
    for (size_t i = head; i < b.size() - tail; i++) text += marked('+', b[i]);
    for (size_t i = a.size() - tail; i < a.size() - tail + after; i++) text += marked(' ', a[i]);
    return text;
}

}  // namespace ech0
