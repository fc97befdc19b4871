#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "ech0/progress.h"

namespace ech0 {

/// A SHA-256 that is fed piece by piece. Source: FIPS 180-4.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(const void* data, size_t size);
    /// 64 lower-case hex digits of all that was fed; the object is spent afterwards.
    std::string hex();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Of bytes in memory, as 64 lower-case hex digits.
std::string sha256(std::string_view bytes);

/// Of a file's content, read now.
/// @throws FileError if it can't be read; Interrupted
std::string sha256_of_file(const std::filesystem::path& file, const Progress& progress = {});

/// The same, remembered in the cache folder under the file's path, size and time of change, since hashing tens of
/// gigabytes takes a minute. Not for a check against a published hash: a file changed by force can keep all three.
/// @throws FileError if it can't be read; Interrupted
std::string cached_sha256_of_file(const std::filesystem::path& file, const Progress& progress = {});

}  // namespace ech0
