#include "machine/budget.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"
#include "machine/metal_limit.h"

namespace ech0 {
namespace {

constexpr int64_t mib = int64_t{1} << 20, gib = int64_t{1} << 30;

/// Something that bounds the memory a process gets.
struct Bound {
    int64_t bytes = 0;
    std::string words;
};

Bound available_bound(const Host& host) {
    const int64_t headroom = headroom_bytes(host.memory_total_bytes);
    return {host.memory_available_bytes - headroom,
            fmt::format("{} of {} RAM available now - {} that programs beside may want",
                        format_memory(host.memory_available_bytes), format_memory(host.memory_total_bytes),
                        format_memory(headroom))};
}

Bound group_bound(const MemoryLimit& limit) {
    const int64_t headroom = headroom_bytes(limit.limit_bytes);
    return {limit.free_bytes() - headroom,
            fmt::format("control group limit {} ({}) - {} in use - {} that programs beside may want",
                        format_memory(limit.limit_bytes), printable(limit.folder.string(), 400),
                        format_memory(limit.used_bytes), format_memory(headroom))};
}

Bound address_space_bound(int64_t limit_bytes) {
    const int64_t headroom = headroom_bytes(limit_bytes);
    return {limit_bytes - headroom, fmt::format("address space limit {} (ulimit -v) - {} for the program itself",
                                                format_memory(limit_bytes), format_memory(headroom))};
}

MemoryBudget budget_of(const Bound& bound) {
    const int64_t bytes = std::max<int64_t>(0, bound.bytes);
    return {bytes, fmt::format("{} = {}", bound.words, bound.bytes > 0 ? format_memory(bytes) : "nothing")};
}

MemoryBudget metal_budget(const Host& host, const Device& gpu) {
    const int64_t limit = host.metal_wired_limit_mib.value_or(0);
    const bool told = gpu.memory_total_bytes > 0;
    const int64_t bytes = told ? gpu.memory_total_bytes : metal_limit_bytes(host.memory_total_bytes, limit);
    const std::string why = limit > 0 ? fmt::format("set by iogpu.wired_limit_mb={}", limit)
                                      : std::string("macOS's default, iogpu.wired_limit_mb=0");
    return {bytes,
            fmt::format("{} {} of {} RAM ({}); {} of the RAM is available now",
                        told ? "Metal's recommendedMaxWorkingSetSize" : "Metal may keep at least", format_memory(bytes),
                        format_memory(host.memory_total_bytes), why, format_memory(host.memory_available_bytes))};
}

MemoryBudget vram_budget(const std::vector<Device>& gpus) {
    constexpr int64_t margin = gib;
    MemoryBudget budget;
    for (const Device& gpu : gpus) {
        budget.bytes += std::max<int64_t>(0, gpu.memory_free_bytes - margin);
        budget.source += fmt::format("{}{} free of {} on {} - {} margin", budget.source.empty() ? "" : ", + ",
                                     format_memory(gpu.memory_free_bytes), format_memory(gpu.memory_total_bytes),
                                     printable(gpu.name), format_memory(margin));
    }
    budget.source += fmt::format(" = {}", budget.bytes > 0 ? format_memory(budget.bytes) : "nothing");
    return budget;
}

MemoryBudget shared_budget(const Host& host, const Device& gpu) {
    MemoryBudget budget = ram_budget(host);
    if (gpu.memory_total_bytes <= 0 || gpu.memory_total_bytes >= budget.bytes) return budget;
    return {gpu.memory_total_bytes, fmt::format("{} of the RAM that {} can address",
                                                format_memory(gpu.memory_total_bytes), printable(gpu.name))};
}

}  // namespace

int64_t headroom_bytes(int64_t memory_total_bytes) {
    return std::clamp<int64_t>(memory_total_bytes / 32, 256 * mib, gib);
}

MemoryBudget ram_budget(const Host& host) {
    std::vector<Bound> bounds = {available_bound(host)};
    if (host.memory_limit) bounds.push_back(group_bound(*host.memory_limit));
    if (host.address_space_limit_bytes) bounds.push_back(address_space_bound(*host.address_space_limit_bytes));
    return budget_of(*std::min_element(bounds.begin(), bounds.end(),
                                       [](const Bound& a, const Bound& b) { return a.bytes < b.bytes; }));
}

bool fits_memory(std::span<const Model* const> models) {
    int64_t bytes = 0;
    for (const Model* model : models) bytes += model->tensor_bytes;
    return bytes < ram_budget(probe_host()).bytes;
}

bool fits_memory(const Model& model) {
    const Model* const one = &model;
    return fits_memory(std::span(&one, 1));
}

MemoryBudget gpu_budget(const Host& host, const std::vector<Device>& gpus) {
    if (gpus.front().backend == "Metal") return metal_budget(host, gpus.front());
    return gpus.front().kind == "gpu" ? vram_budget(gpus) : shared_budget(host, gpus.front());
}

std::vector<Device> weight_devices(const std::vector<Device>& devices) {
    std::vector<Device> chosen;
    for (const char* kind : {"gpu", "igpu"}) {
        for (const Device& device : devices) {
            const bool local = device.kind == kind && device.backend != "RPC";  // another machine's memory is not ours
            if (local && (chosen.empty() || chosen.front().backend == device.backend)) chosen.push_back(device);
        }
        if (!chosen.empty()) return chosen;
    }
    return chosen;
}

}  // namespace ech0
