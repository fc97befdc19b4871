#include "cli/run_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <iterator>

#include "base/child.h"
#include "base/file.h"
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
    constexpr double limit_s = 20;
    const std::string page = std::filesystem::absolute(file).string();
    try {
        if (run_child(opener, {page}, limit_s).exit_status == 0) return;
    } catch (const FileError&) {
        // no such program: said below
    }
    throw FileError(fmt::format("{} can't show {}: open it in a browser yourself", opener, printable(page, 400)));
}

}  // namespace ech0
