#include "store/split_name.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

// The number that five digits write, or nothing.
std::optional<int> five_digits(std::string_view text) {
    if (text.size() != 5 || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    int number = 0;
    for (const char digit : text) number = number * 10 + (digit - '0');
    return number;
}

}  // namespace

std::string SplitName::name(int part) const { return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, part, count); }

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

std::vector<std::filesystem::path> split_parts(const std::filesystem::path& asked, const SplitName& split) {
    if (split.number < 1 || split.number > split.count) {
        throw UsageError(
            fmt::format("{}: part {} of {} cannot be; the first part of a split model ends in -00001-of-NNNNN.gguf",
                        printable(asked.string(), 400), split.number, split.count));
    }
    std::vector<std::filesystem::path> parts;
    std::vector<std::string> missing;
    for (int part = 1; part <= split.count; part++) {
        parts.push_back(asked.parent_path() / split.name(part));
        if (!std::filesystem::exists(parts.back())) missing.push_back(split.name(part));
    }
    if (!missing.empty()) {
        throw UsageError(fmt::format("{}: {} of {} parts missing: {}{}; put them in the same folder",
                                     printable(asked.string(), 400), missing.size(), split.count,
                                     printable(missing.front()), missing.size() > 1 ? ", …" : ""));
    }
    return parts;
}

}  // namespace ech0
