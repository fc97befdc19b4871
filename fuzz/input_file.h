#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace ech0 {

/// A file with the bytes that the fuzzer made, in memory where the system has a place for that.
inline std::filesystem::path input_file(const uint8_t* data, size_t size, const char* name) {
    static const std::filesystem::path folder = [] {
        const std::filesystem::path shm = "/dev/shm";
        const std::filesystem::path base = std::filesystem::exists(shm) ? shm : std::filesystem::temp_directory_path();
        std::filesystem::path mine = base / ("ech0-fuzz-" + std::to_string(getpid()));
        std::filesystem::create_directories(mine);
        return mine;
    }();
    const std::filesystem::path file = folder / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return file;
}

}  // namespace ech0
