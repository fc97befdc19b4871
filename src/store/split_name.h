#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// NAME-00002-of-00004.gguf, as llama_split_path writes it: one part of a model that is several files.
struct SplitName {
    std::string prefix;  ///< without folder
    int number = 0, count = 0;

    std::string name(int part) const;  ///< file name of that part, counted from 1
};

/// What a file name says of the part it is, or nothing if it is no part.
std::optional<SplitName> parse_split_name(std::string_view file_name);

/// All parts of a split model, in order, which lie in one folder.
/// @param asked  any of them; it need not exist
/// @throws UsageError naming the parts that are missing
std::vector<std::filesystem::path> split_parts(const std::filesystem::path& asked, const SplitName& split);

}  // namespace ech0
