#include "base/private_folder.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {

void make_private_folder(const std::filesystem::path& folder) {
    std::error_code code;
    const bool made = std::filesystem::create_directories(folder, code);
    if (!code && !std::filesystem::is_directory(folder)) code = std::make_error_code(std::errc::not_a_directory);
    if (code) throw FileError(fmt::format("make the folder {}: {}", printable(folder.string(), 400), code.message()));
    if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, code);
}

}  // namespace ech0
