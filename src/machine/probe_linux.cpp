#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "machine/host.h"
#include "machine/meminfo.h"
#include "machine/processors.h"
#include "machine/system_text.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

fs::path processor_folder(int64_t processor) { return fmt::format("/sys/devices/system/cpu/cpu{}", processor); }

int64_t cores_among(const std::vector<int64_t>& processors) {
    std::vector<std::string> siblings;
    siblings.reserve(processors.size());
    for (const int64_t processor : processors)
        siblings.push_back(read_system_text(processor_folder(processor) / "topology/thread_siblings_list"));
    return std::max<int64_t>(1, count_cores(siblings));
}

std::vector<int64_t> online_processors() {
    std::vector<int64_t> processors;
    for (int64_t i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++) processors.push_back(i);
    return processors;
}

// Empty if the system won't say (more processors than a cpu_set_t has room for).
std::vector<int64_t> allowed_processors() {
    std::vector<int64_t> processors;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return processors;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) processors.push_back(i);
    return processors;
}

std::vector<CgroupFolder> our_groups(std::string_view controller) {
    return cgroup_folders(read_system_text("/proc/self/mountinfo"), read_system_text("/proc/self/cgroup"), controller);
}

void probe_cores(Host& host) {
    const std::vector<int64_t> allowed = allowed_processors();
    host.cores_total = cores_among(online_processors());
    host.cores = allowed.empty() ? host.cores_total : cores_among(allowed);
    if (host.cores < host.cores_total) host.cores_limit = "the processors that this process is bound to (taskset)";
    const std::optional<double> share = tightest_cpu_limit(our_groups("cpu"));
    if (!share || cores_within(host.cores, *share) >= host.cores) return;
    host.cores = cores_within(host.cores, *share);
    host.cores_limit = fmt::format("its control group's share of {:.2f} processors' time (cpu.max)", *share);
}

int64_t last_cache_bytes() {
    int64_t largest = 0;
    for (int index = 0; index < 8; index++)
        largest = std::max(largest, parse_cache_size(read_system_text(processor_folder(0) /
                                                                      fmt::format("cache/index{}/size", index))));
    return largest;
}

void probe_memory(Host& host) {
    const MemoryInfo info = parse_meminfo(read_system_text("/proc/meminfo"));
    host.memory_total_bytes = info.total_bytes;
    host.memory_available_bytes = info.available_bytes;
    host.swap_total_bytes = info.swap_total_bytes;
    host.swap_used_bytes = info.swap_total_bytes - info.swap_free_bytes;
    host.memory_limit = tightest_memory_limit(our_groups("memory"));
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        host.address_space_limit_bytes = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

std::vector<std::string> cards() {
    std::vector<std::string> makers;
    std::error_code failure;
    for (const fs::directory_entry& device : fs::directory_iterator("/sys/bus/pci/devices", failure)) {
        const std::string maker =
            gpu_maker(device.path().filename().string(), read_system_text(device.path() / "vendor"),
                      read_system_text(device.path() / "class"));
        if (!maker.empty() && std::find(makers.begin(), makers.end(), maker) == makers.end()) makers.push_back(maker);
    }
    // WSL shows no PCI bus; NVIDIA's driver is there all the same.
    if (makers.empty() && fs::exists("/proc/driver/nvidia/version", failure)) makers.emplace_back("NVIDIA");
    return makers;
}

}  // namespace

std::string processor_name() {
    const std::string name = processor_name_in(read_system_text("/proc/cpuinfo"));
    utsname system{};
    return !name.empty() ? name : uname(&system) == 0 ? system.machine : "unknown processor";
}

Host probe_host() {
    Host host;
    host.processor = processor_name();
    host.processor_flags = processor_flags_in(read_system_text("/proc/cpuinfo"));
    host.last_cache_bytes = last_cache_bytes();
    host.gpu_makers = cards();
    getloadavg(&host.load_average, 1);
    probe_cores(host);
    probe_memory(host);
    return host;
}

}  // namespace ech0
