#include "base/installed_program.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ech0 {
namespace fs = std::filesystem;

std::vector<fs::path> program_folders() {
    const char* const variable = std::getenv("PATH");
    const std::string path = variable == nullptr ? "" : variable;
    std::vector<fs::path> folders;
    for (size_t at = 0; at < path.size();) {
        const size_t end = std::min(path.find(':', at), path.size());
        const fs::path folder = path.substr(at, end - at);
        if (folder.is_absolute()) folders.push_back(folder);
        at = end + 1;
    }
    return folders;
}

bool is_program(const fs::path& file) {
    std::error_code failure;
    return fs::is_regular_file(file, failure) && access(file.c_str(), X_OK) == 0;
}

std::optional<fs::path> find_program(const std::string& name) {
    for (const fs::path& folder : program_folders())
        if (is_program(folder / name)) return folder / name;
    return std::nullopt;
}

}  // namespace ech0
