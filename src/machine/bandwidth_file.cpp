#include "machine/bandwidth_file.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const BandwidthKey& key) {
    return {{"processor", key.processor},
            {"cores", key.cores},
            {"memory_total_bytes", key.memory_total_bytes},
            {"engine", key.engine}};
}

Json to_json(const ReadBandwidth& read) {
    return {{"best_bytes_per_s", read.best_bytes_per_s},   {"median_bytes_per_s", read.median_bytes_per_s},
            {"worst_bytes_per_s", read.worst_bytes_per_s}, {"n_passes", read.n_passes},
            {"buffer_bytes", read.buffer_bytes},           {"n_threads", read.n_threads}};
}

ReadBandwidth read_from(const Json& json) {
    return {json.at("best_bytes_per_s"), json.at("median_bytes_per_s"), json.at("worst_bytes_per_s"),
            json.at("n_passes"),         json.at("buffer_bytes"),       json.at("n_threads")};
}

// Somebody may have edited the file; nothing a measurement could have given is let in.
bool plausible(const ReadBandwidth& read) {
    return std::isfinite(read.best_bytes_per_s) && read.worst_bytes_per_s > 0 &&
           read.worst_bytes_per_s <= read.median_bytes_per_s && read.median_bytes_per_s <= read.best_bytes_per_s &&
           read.n_passes > 0 && read.buffer_bytes > 0 && read.n_threads >= 0;
}

}  // namespace

std::optional<ReadBandwidth> remembered_bandwidth(const std::filesystem::path& file, const BandwidthKey& key) {
    try {
        const Json json = Json::parse(read_file(file));
        if (json.at("schema") != "ech0.machine/1" || json.at("holds_for") != to_json(key)) return std::nullopt;
        const ReadBandwidth read = read_from(json.at("read"));
        return plausible(read) ? std::optional(read) : std::nullopt;
    } catch (const FileError&) {
        return std::nullopt;
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

void remember_bandwidth(const std::filesystem::path& file, const BandwidthKey& key, const ReadBandwidth& read) {
    const Json json = {{"schema", "ech0.machine/1"}, {"holds_for", to_json(key)}, {"read", to_json(read)}};
    std::error_code failure;
    std::filesystem::create_directories(file.parent_path(), failure);  // if it fails, writing says so
    write_file(file, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace ech0
