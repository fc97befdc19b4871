#include "machine/runtimes.h"

#include <array>
#include <cstdlib>
#include <optional>
#include <regex>

#include "base/child.h"
#include "base/installed_program.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

/// A program to look for. A folder that begins with ~ is in HOME.
struct Candidate {
    const char* name;
    const char* program;
    const char* asks;  // what makes it say its version
    std::array<const char*, 3> elsewhere;
};

// LM Studio's command line tool is in a folder of its own that only its installer adds to the PATH. Homebrew's and the
// installers' folders are here too because a program started from a desktop may have a short PATH.
constexpr std::array<Candidate, 4> candidates = {{
    {"Ollama",
     "ollama",
     "--version",
     {"/usr/local/bin", "/opt/homebrew/bin", "/Applications/Ollama.app/Contents/Resources"}},
    {"llama.cpp server", "llama-server", "--version", {"/usr/local/bin", "/opt/homebrew/bin", "~/.local/bin"}},
    {"llama.cpp", "llama-cli", "--version", {"/usr/local/bin", "/opt/homebrew/bin", "~/.local/bin"}},
    {"LM Studio", "lms", "version", {"~/.lmstudio/bin", "~/.cache/lm-studio/bin", "/usr/local/bin"}},
}};

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::optional<fs::path> in_home(std::string_view folder) {
    if (!folder.starts_with("~/")) return fs::path(folder);
    const std::string home = variable("HOME");
    return home.empty() ? std::nullopt : std::optional(fs::path(home) / folder.substr(2));
}

std::optional<fs::path> program_of(const Candidate& candidate) {
    std::vector<fs::path> folders = program_folders();
    for (const char* elsewhere : candidate.elsewhere)
        if (const std::optional<fs::path> folder = in_home(elsewhere)) folders.push_back(*folder);
    for (const fs::path& folder : folders)
        if (is_program(folder / candidate.program)) return folder / candidate.program;
    return std::nullopt;
}

std::string version_of(const fs::path& program, const char* asks) {
    constexpr double patience_s = 2;
    try {
        const ChildResult said = run_child(program, {asks}, patience_s);
        const std::string version = version_in(said.output);
        return version.empty() ? version_in(said.errors) : version;  // llama.cpp answers on stderr
    } catch (const FileError&) {  // a program for another kind of machine: it is there, and that is all
        return "";
    }
}

// LM Studio without its command line tool.
std::optional<Runtime> lm_studio_app() {
    std::error_code failure;
    for (const char* place : {"/Applications/LM Studio.app", "/opt/LM Studio", "~/.lmstudio"}) {
        const std::optional<fs::path> folder = in_home(place);
        if (folder && fs::is_directory(*folder, failure)) return Runtime{"LM Studio", *folder, ""};
    }
    return std::nullopt;
}

}  // namespace

std::string version_in(std::string_view answer) {
    static const std::regex pattern(R"((?:version(?: is)?:?|(?:^|\s)v)\s*v?(\d[\w.+-]*(?: \([0-9a-f]+\))?))");
    const std::string text(answer.substr(0, 4096));
    std::smatch found;
    return std::regex_search(text, found, pattern) ? printable(found[1].str(), 60) : "";
}

std::vector<Runtime> find_runtimes() {
    std::vector<Runtime> runtimes;
    for (const Candidate& candidate : candidates) {
        const std::optional<fs::path> program = program_of(candidate);
        if (program) runtimes.push_back({candidate.name, *program, version_of(*program, candidate.asks)});
    }
    const bool has_lm_studio = !runtimes.empty() && runtimes.back().name == "LM Studio";
    if (const std::optional<Runtime> app = lm_studio_app(); app && !has_lm_studio) runtimes.push_back(*app);
    return runtimes;
}

}  // namespace ech0
