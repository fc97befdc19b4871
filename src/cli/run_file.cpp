#include "cli/run_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <iterator>
#include <optional>

#include "base/child.h"
#include "base/file.h"
#include "base/installed_program.h"
#include "base/text.h"
#include "ech0/error.h"
#include "report/schema.h"

namespace ech0 {

Json read_run(const std::filesystem::path& file) {
    const bool from_stdin = file == "-";
    const std::string name = from_stdin ? "stdin" : printable(file.string(), 400);
    const std::string text = from_stdin ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : read_file(file);
    Json run;
    try {
        run = Json::parse(text);
    } catch (const Json::exception& error) {
        throw FormatError(
            fmt::format("{}: no JSON: {}; ech0 commands write it with --json", name, printable(error.what(), 300)));
    }
    constexpr size_t most = 3;
    const std::vector<std::string> faults = schema_faults(run, most + 1);
    if (faults.empty()) return run;
    const bool more = faults.size() > most;
    throw FormatError(fmt::format("{}: no report that this ech0 reads: {}{}", name,
                                  fmt::join(faults.begin(), faults.begin() + (more ? most : faults.size()), "; "),
                                  more ? "; and more" : ""));
}

void open_in_browser(const std::filesystem::path& file) {
#if defined(__APPLE__)
    const char* const opener = "open";
#else
    const char* const opener = "xdg-open";
#endif
    constexpr double patience_s = 3;  // without a desktop xdg-open is the browser itself, and ends when that is closed
    const std::string page = std::filesystem::absolute(file).string();
    const std::optional<std::filesystem::path> program = find_program(opener);
    if (program && start_and_leave(*program, {page}, patience_s).value_or(0) == 0) return;
    throw FileError(fmt::format("{} {}: open {} in a browser yourself", opener,
                                program ? "found no browser" : "is not installed", printable(page, 400)));
}

}  // namespace ech0
