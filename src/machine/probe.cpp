#include "machine/probe.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/paths.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "machine/bandwidth_file.h"
#include "machine/budget.h"
#include "machine/device_bandwidth.h"
#include "machine/devices.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr int64_t mib = int64_t{1} << 20, gib = int64_t{1} << 30;

// Nothing where no folder can be had: then each run measures anew.
std::optional<std::filesystem::path> in_cache(const std::string& file) {
    try {
        return cache_folder() / file;
    } catch (const UsageError&) {
        return std::nullopt;
    }
}

void remember(const std::optional<std::filesystem::path>& file, const BandwidthKey& key, const ReadBandwidth& read) {
    if (!file) return;
    try {
        remember_bandwidth(*file, key, read);
    } catch (const FileError&) {  // a full or read-only disk costs the next run a second, no more
    }
}

/// Something that can be measured and remembered.
struct Measurement {
    std::string file;
    BandwidthKey key;
    std::function<std::optional<ReadBandwidth>()> measure;
};

std::optional<ReadBandwidth> result_of(const Measurement& measurement, bool anew) {
    const std::optional<std::filesystem::path> file = in_cache(measurement.file);
    if (file && !anew) {
        if (std::optional<ReadBandwidth> known = remembered_bandwidth(*file, measurement.key)) return known;
    }
    const std::optional<ReadBandwidth> read = measurement.measure();
    if (read) remember(file, measurement.key, *read);
    return read;
}

Measurement by_processor(const Host& host) {
    const auto measure = [&host]() -> std::optional<ReadBandwidth> {
        const int64_t buffer_bytes = read_buffer_bytes(host.last_cache_bytes, ram_budget(host).bytes);
        if (buffer_bytes == 0) return std::nullopt;
        return measure_read_bandwidth(static_cast<int>(host.cores), buffer_bytes);
    };
    return {"machine.json", {host.processor, host.cores, host.memory_total_bytes, engine_description()}, measure};
}

Measurement by_device(const Device& device, const Host& host) {
    const auto measure = [&device, &host]() -> std::optional<ReadBandwidth> {
        const int64_t buffer_bytes = std::min(gib, device.memory_free_bytes / 4);
        if (buffer_bytes < 32 * mib) return std::nullopt;
        try {
            return measure_device_bandwidth(device.name, buffer_bytes, static_cast<int>(host.cores));
        } catch (const EngineError&) {  // a device that can't multiply is no reason to know nothing of the machine
            return std::nullopt;
        }
    };
    return {fmt::format("machine-{}.json", device.name),
            {device.description, host.cores, device.memory_total_bytes, engine_description()},
            measure};
}

// Of several cards each reads its layers while the others wait; the slowest is the one to count with.
std::optional<ReadBandwidth> read_bandwidth(const Machine& machine, const Host& host, bool anew) {
    const std::vector<Device> gpus = weight_devices(machine.devices);
    if (gpus.empty()) return result_of(by_processor(host), anew);
    std::optional<ReadBandwidth> slowest;
    for (const Device& gpu : gpus) {
        const std::optional<ReadBandwidth> read = result_of(by_device(gpu, host), anew);
        if (!read) return std::nullopt;
        if (!slowest || read->best_bytes_per_s < slowest->best_bytes_per_s) slowest = read;
    }
    return slowest;
}

// The memory that weights lie in is the card's where there is one of its own.
void describe_memory(Machine& machine, const Host& host) {
    const std::vector<Device> gpus = weight_devices(machine.devices);
    const bool own_memory = !gpus.empty() && gpus.front().kind == "gpu" && gpus.front().backend != "Metal";
    machine.memory_total_bytes = host.memory_total_bytes;
    machine.memory_available_bytes = host.memory_available_bytes;
    if (own_memory) {
        machine.memory_total_bytes = machine.memory_available_bytes = 0;
        for (const Device& gpu : gpus) {
            machine.memory_total_bytes += gpu.memory_total_bytes;
            machine.memory_available_bytes += gpu.memory_free_bytes;
        }
    }
    MemoryBudget budget = gpus.empty() ? ram_budget(host) : gpu_budget(host, gpus);
    machine.model_budget_bytes = budget.bytes;
    machine.budget_source = std::move(budget.source);
    machine.budget_grade = Grade::measured;
    machine.backend = gpus.empty() ? "CPU" : gpus.front().backend;
    machine.title = fmt::format("{}, {} RAM", gpus.empty() ? host.processor : gpus.front().description,
                                format_memory(host.memory_total_bytes));
}

void describe_speed(Machine& machine, const std::optional<ReadBandwidth>& read) {
    if (!read) {
        machine.read_source = "not measured: too little memory is free for a buffer that no cache holds";
        return;
    }
    machine.read_bytes_per_s = read->best_bytes_per_s;
    machine.read_source = describe(*read);
    machine.read_grade = Grade::measured;
}

Machine without_speed(const Host& host) {
    Machine machine;
    machine.name = "this";
    machine.is_this = true;
    machine.cores = host.cores;
    machine.isa = engine_isa();
    machine.devices = engine_devices();
    for (Device& device : machine.devices)  // ggml says of the processor that all of its memory is free
        if (device.kind == "cpu") device.memory_free_bytes = host.memory_available_bytes;
    describe_memory(machine, host);
    return machine;
}

}  // namespace

Probe probe(bool measure_anew) {
    Probe probe;
    probe.host = probe_host();
    probe.machine = without_speed(probe.host);
    probe.read = read_bandwidth(probe.machine, probe.host, measure_anew);
    describe_speed(probe.machine, probe.read);
    return probe;
}

Machine probe_memory() { return without_speed(probe_host()); }

Machine probe_machine(bool measure_anew) { return probe(measure_anew).machine; }

}  // namespace ech0
