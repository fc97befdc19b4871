#include "base/folder.h"

#include <fmt/format.h>

#include <system_error>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {

void make_folder(const std::filesystem::path& folder) {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure)
        throw FileError(fmt::format("make the folder {}: {}", printable(folder.string(), 400), failure.message()));
}

}  // namespace ech0
