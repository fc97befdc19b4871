#include "machine/checkup.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/paths.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "machine/budget.h"
#include "machine/devices.h"
#include "machine/metal_limit.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr int64_t gib = int64_t{1} << 30;
constexpr int64_t little_memory_bytes = 2 * gib;    // a model of 3e9 weights at 4.5 bits and its cache
constexpr int64_t little_disk_bytes = 10000000000;  // one model of 8e9 weights at 4.5 bits, twice

using Found = std::optional<Problem>;

Found no_memory(const Checkup& checkup) {
    const Machine& machine = checkup.probe.machine;
    if (machine.model_budget_bytes >= little_memory_bytes) return std::nullopt;
    return Problem{
        fmt::format("a model may take {} only: {}", format_memory(machine.model_budget_bytes), machine.budget_source),
        "close other programs, or take a small model: 'ech0 fit' says which fit"};
}

Found memory_limit(const Checkup& checkup) {
    const std::optional<MemoryLimit>& limit = checkup.probe.host.memory_limit;
    if (!limit || limit->limit_bytes >= checkup.probe.host.memory_total_bytes) return std::nullopt;
    return Problem{fmt::format("this process may use {} of {} RAM: limit of its control group {}",
                               format_memory(limit->limit_bytes), format_memory(checkup.probe.host.memory_total_bytes),
                               printable(limit->folder.string(), 400)),
                   "raise it where it was set: docker run --memory, MemoryMax= of a systemd unit, the batch system"};
}

Found address_space_limit(const Checkup& checkup) {
    const std::optional<int64_t>& limit = checkup.probe.host.address_space_limit_bytes;
    if (!limit || *limit >= 2 * checkup.probe.host.memory_total_bytes) return std::nullopt;
    return Problem{
        fmt::format("this process may map {} only (ulimit -v); model files are mapped whole", format_memory(*limit)),
        "run 'ulimit -v unlimited' first"};
}

Found crowded_memory(const Checkup& checkup) {
    const Host& host = checkup.probe.host;
    if (host.memory_total_bytes == 0 || host.memory_available_bytes >= host.memory_total_bytes / 2) return std::nullopt;
    return Problem{fmt::format("other programs hold {} of {} RAM",
                               format_memory(host.memory_total_bytes - host.memory_available_bytes),
                               format_memory(host.memory_total_bytes)),
                   "close those that are not needed: what a model may take grows by as much"};
}

Found busy_swap(const Checkup& checkup) {
    const Host& host = checkup.probe.host;
    if (host.swap_used_bytes <= host.memory_total_bytes / 8) return std::nullopt;
    return Problem{
        fmt::format("{} are swapped out to disk: memory was short not long ago", format_memory(host.swap_used_bytes)),
        "close other programs before a model is loaded"};
}

Found metal_default(const Checkup& checkup) {
    const Machine& machine = checkup.probe.machine;
    const Host& host = checkup.probe.host;
    if (machine.backend != "Metal" || host.metal_wired_limit_mib.value_or(1) != 0) return std::nullopt;
    const int64_t wider = wider_metal_limit_mib(host.memory_total_bytes, machine.model_budget_bytes);
    if (wider == 0) return std::nullopt;
    return Problem{
        fmt::format("macOS lets Metal keep {} of {} RAM by default", format_memory(machine.model_budget_bytes),
                    format_memory(host.memory_total_bytes)),
        fmt::format("for a model that needs more: sudo sysctl iogpu.wired_limit_mb={} (until the next start; "
                    "0 takes it back)",
                    wider)};
}

Found slow_kernels(const Checkup& checkup) {
    const Machine& machine = checkup.probe.machine;
    const auto has = [](const std::vector<std::string>& words, std::string_view word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    const bool x86 = has(checkup.probe.host.processor_flags, "sse2");
    if (!x86 || has(machine.isa, "AVX2")) return std::nullopt;
    if (has(checkup.probe.host.processor_flags, "avx2")) {
        return Problem{"the processor has AVX2, but this build of the engine does not use it: several times slower",
                       "build it on this machine (docs/building.md), or with -DGGML_AVX2=ON"};
    }
    return Problem{"the processor has no AVX2: the engine's kernels are several times slower without",
                   "take a smaller model, or a machine with a processor from 2015 or later"};
}

Found idle_gpu(const Checkup& checkup) {
    const std::vector<std::string>& makers = checkup.probe.host.gpu_makers;
    if (makers.empty() || !weight_devices(checkup.probe.machine.devices).empty()) return std::nullopt;
    const bool nvidia = std::find(makers.begin(), makers.end(), "NVIDIA") != makers.end();
    const char* const flag = nvidia ? "-DGGML_CUDA=ON" : "-DGGML_VULKAN=ON";
    return Problem{
        fmt::format("there is a GPU ({}), but this build of the engine can't use it: its backends are {}",
                    fmt::join(makers, ", "), fmt::join(checkup.backends, ", ")),
        fmt::format("ECH0_ENGINE_FLAGS=\"{}\" make build (docs/building.md), with the maker's driver installed", flag)};
}

Found few_cores(const Checkup& checkup) {
    const Host& host = checkup.probe.host;
    if (host.cores_limit.empty()) return std::nullopt;
    return Problem{
        fmt::format("this process may use {} of {} cores: {}", host.cores, host.cores_total, host.cores_limit),
        "allow it more where that was set: taskset, docker run --cpus, CPUQuota= of a systemd unit"};
}

// Half of the cores idle is enough to read memory at nearly full speed; with less, the measurement is of the others
// too.
Found busy_processor(const Checkup& checkup) {
    const Host& host = checkup.probe.host;
    if (host.load_average <= 0.5 * static_cast<double>(host.cores_total)) return std::nullopt;
    return Problem{fmt::format("other programs are busy (load {:.1f} on {} cores): the speeds measured are too low",
                               host.load_average, host.cores_total),
                   "run 'ech0 doctor' again when they have ended; models run slower beside them too"};
}

Found no_home(const Checkup& checkup) {
    if (checkup.has_home) return std::nullopt;
    return Problem{"neither HOME nor ECH0_CACHE is set: nothing can be remembered or fetched",
                   "set HOME, or ECH0_CACHE to a folder"};
}

std::vector<Problem> full_disks(const Checkup& checkup) {
    std::vector<Problem> problems;
    std::vector<std::pair<int64_t, int64_t>> told;  // one disk may hold both folders
    for (const Disk& disk : checkup.disks) {
        const std::pair<int64_t, int64_t> size = {disk.free_bytes, disk.total_bytes};
        if (disk.free_bytes >= little_disk_bytes || std::find(told.begin(), told.end(), size) != told.end()) continue;
        told.push_back(size);
        problems.push_back({fmt::format("the disk of {} ({}) has {} free", disk.use, printable(disk.path.string(), 400),
                                        format_disk(disk.free_bytes)),
                            disk.use == "cache" ? "make room, or set ECH0_CACHE to a folder on another disk"
                                                : "make room, or name output files on another disk"});
    }
    return problems;
}

// A folder that does not exist yet lies on the disk of the nearest one above it.
void add_disk(Checkup& checkup, const char* use, fs::path folder) {
    std::error_code failure;
    while (!fs::exists(folder, failure) && folder.has_relative_path()) folder = folder.parent_path();
    const fs::space_info space = fs::space(folder, failure);
    if (failure) return;
    checkup.disks.push_back({use, folder, static_cast<int64_t>(space.available), static_cast<int64_t>(space.capacity)});
}

}  // namespace

std::vector<Problem> find_problems(const Checkup& checkup) {
    std::vector<Problem> problems;
    for (const auto look : {no_memory, memory_limit, address_space_limit, idle_gpu, slow_kernels, crowded_memory,
                            busy_swap, few_cores, busy_processor, metal_default, no_home})
        if (Found found = look(checkup)) problems.push_back(std::move(*found));
    for (Problem& full : full_disks(checkup)) problems.push_back(std::move(full));
    return problems;
}

namespace {

void add_scores(Checkup& checkup) {
    const std::vector<Score> scores = read_scores();
    for (const char* kind : {"tokens_per_s", "prompt_tokens_per_s", "memory_bytes"}) {
        const HitRate rate = hit_rate(scores, kind, checkup.probe.host.processor);
        if (rate.n > 0) checkup.scores.push_back({kind, rate});
    }
}

}  // namespace

Checkup check_up() {
    Checkup checkup;
    checkup.probe = probe(true);
    checkup.backends = engine_backends();
    checkup.engine = engine_description();
    checkup.runtimes = find_runtimes();
    try {
        add_disk(checkup, "cache", fs::absolute(cache_folder()));
    } catch (const UsageError&) {
        checkup.has_home = false;
    }
    std::error_code failure;
    add_disk(checkup, "current folder", fs::current_path(failure));
    if (checkup.has_home) add_scores(checkup);
    checkup.problems = find_problems(checkup);
    return checkup;
}

}  // namespace ech0
