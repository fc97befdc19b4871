#include <mach/mach.h>
#include <sys/resource.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "machine/host.h"
#include "machine/metal_limit.h"

namespace ech0 {
namespace {

// sysctl answers with 4 or 8 bytes, by the name; both are little-endian here.
std::optional<int64_t> number(const char* name) {
    int64_t value = 0;
    size_t size = sizeof value;
    if (sysctlbyname(name, &value, &size, nullptr, 0) != 0) return std::nullopt;
    return size == sizeof(int32_t) ? static_cast<int32_t>(value) : value;
}

std::optional<MacPages> page_counts() {
    vm_statistics64_data_t counts{};
    mach_msg_type_number_t size = HOST_VM_INFO64_COUNT;
    vm_size_t page_bytes = 0;
    const mach_port_t host = mach_host_self();
    const bool known =
        host_page_size(host, &page_bytes) == KERN_SUCCESS &&
        host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&counts), &size) == KERN_SUCCESS;
    mach_port_deallocate(mach_task_self(), host);
    if (!known) return std::nullopt;
    return MacPages{static_cast<int64_t>(page_bytes), counts.free_count, counts.speculative_count,
                    counts.external_page_count, counts.purgeable_count};
}

void probe_memory(Host& host) {
    host.memory_total_bytes = number("hw.memsize").value_or(0);
    if (const std::optional<MacPages> pages = page_counts())
        host.memory_available_bytes = mac_available_bytes(*pages, host.memory_total_bytes);
    xsw_usage swap{};
    size_t size = sizeof swap;
    if (sysctlbyname("vm.swapusage", &swap, &size, nullptr, 0) == 0) {
        host.swap_total_bytes = static_cast<int64_t>(swap.xsu_total);
        host.swap_used_bytes = static_cast<int64_t>(swap.xsu_used);
    }
    host.metal_wired_limit_mib = number("iogpu.wired_limit_mb");
    rlimit limit{};
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        host.address_space_limit_bytes = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

}  // namespace

std::string processor_name() {
    std::array<char, 256> name{};
    size_t size = name.size() - 1;
    const bool known = sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0;
    return known ? printable(name.data()) : "unknown processor";
}

Host probe_host() {
    Host host;
    host.processor = processor_name();
    host.cores_total = number("hw.physicalcpu_max").value_or(1);
    // The efficient cores of a Mac slow the others down, which wait for them: llama.cpp leaves them out too.
    host.cores = number("hw.perflevel0.physicalcpu").value_or(number("hw.physicalcpu").value_or(host.cores_total));
    host.last_cache_bytes = std::max({number("hw.perflevel0.l2cachesize").value_or(0),
                                      number("hw.l2cachesize").value_or(0), number("hw.l3cachesize").value_or(0)});
    getloadavg(&host.load_average, 1);
    probe_memory(host);
    return host;
}

}  // namespace ech0
