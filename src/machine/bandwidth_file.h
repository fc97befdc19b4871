#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "machine/bandwidth.h"

namespace ech0 {

/// What a remembered measurement holds for. Another of these is another machine (a cache folder may lie on a network
/// disk), or another way to measure.
struct BandwidthKey {
    std::string processor;
    int64_t cores = 0;
    int64_t memory_total_bytes = 0;
    std::string engine;
    bool operator==(const BandwidthKey&) const = default;
};

/// The measurement in `file` ("machine.json" of the cache folder), or nothing if there is none, it is broken, or it
/// holds for something else.
std::optional<ReadBandwidth> remembered_bandwidth(const std::filesystem::path& file, const BandwidthKey& key);

/// @throws FileError
void remember_bandwidth(const std::filesystem::path& file, const BandwidthKey& key, const ReadBandwidth& read);

}  // namespace ech0
