#include "machine/probe.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/paths.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "machine/bandwidth_file.h"
#include "machine/budget.h"
#include "machine/devices.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

// Nothing where no folder can be had: then each run measures anew.
std::optional<std::filesystem::path> bandwidth_file() {
    try {
        return cache_folder() / "machine.json";
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

void add_read_bandwidth(Probe& probe, bool measure_anew) {
    const Host& host = probe.host;
    const BandwidthKey key{host.processor, host.cores, host.memory_total_bytes, engine_description()};
    const std::optional<std::filesystem::path> file = bandwidth_file();
    if (file && !measure_anew) probe.read = remembered_bandwidth(*file, key);
    probe.read_remembered = probe.read.has_value();
    if (probe.read) return;
    const int64_t buffer_bytes = read_buffer_bytes(host.last_cache_bytes, ram_budget(host).bytes);
    if (buffer_bytes == 0) return;
    probe.read = measure_read_bandwidth(static_cast<int>(host.cores), buffer_bytes);
    remember(file, key, *probe.read);
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

void describe_speed(Machine& machine, const Probe& probe) {
    const bool on_cpu = machine.backend == "CPU";
    if (!on_cpu && machine.backend != "Metal") {
        machine.read_source = "not measured: the card's own memory is not what the processor reads";
    } else if (!probe.read) {
        machine.read_source = "not measured: too little memory is free for a buffer that no cache holds";
    } else {
        machine.read_bytes_per_s = probe.read->best_bytes_per_s;
        machine.read_source = describe(*probe.read);
        if (!on_cpu) machine.read_source += "; the GPU may read faster";
        machine.read_grade = Grade::measured;
    }
}

}  // namespace

Probe probe(bool measure_anew) {
    Probe probe;
    probe.host = probe_host();
    add_read_bandwidth(probe, measure_anew);
    Machine& machine = probe.machine;
    machine.name = "this";
    machine.is_this = true;
    machine.cores = probe.host.cores;
    machine.isa = engine_isa();
    machine.devices = engine_devices();
    for (Device& device : machine.devices)  // ggml says of the processor that all of its memory is free
        if (device.kind == "cpu") device.memory_free_bytes = probe.host.memory_available_bytes;
    describe_memory(machine, probe.host);
    describe_speed(machine, probe);
    return probe;
}

Machine probe_machine(bool measure_anew) { return probe(measure_anew).machine; }

}  // namespace ech0
