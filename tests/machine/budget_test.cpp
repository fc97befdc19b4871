#include "machine/budget.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

constexpr int64_t mib = int64_t{1} << 20, gib = int64_t{1} << 30;

Host host_with(int64_t total_bytes, int64_t available_bytes) {
    Host host;
    host.memory_total_bytes = total_bytes;
    host.memory_available_bytes = available_bytes;
    return host;
}

Device device(const char* name, const char* backend, const char* kind, int64_t total_bytes, int64_t free_bytes) {
    return {name, name, backend, kind, total_bytes, free_bytes};
}

}  // namespace

TEST_CASE("the programs beside are left a 32nd of the memory, from 256 MiB to 1 GiB") {
    CHECK(headroom_bytes(4 * gib) == 256 * mib);
    CHECK(headroom_bytes(16 * gib) == 512 * mib);
    CHECK(headroom_bytes(512 * gib) == gib);
    CHECK(headroom_bytes(0) == 256 * mib);
}

TEST_CASE("in RAM a model may take what is available less the headroom, and the words have the arithmetic") {
    const MemoryBudget budget = ram_budget(host_with(16 * gib, 10 * gib));
    CHECK(budget.bytes == 10 * gib - 512 * mib);
    CHECK(budget.source ==
          "10.00 GiB of 16.00 GiB RAM available now - 512.0 MiB that programs beside may want = 9.50 GiB");
}

TEST_CASE("a control group's limit bounds the budget where it leaves less") {
    Host host = host_with(64 * gib, 60 * gib);
    host.memory_limit = MemoryLimit{"/sys/fs/cgroup/box", 8 * gib, 2 * gib};
    const MemoryBudget budget = ram_budget(host);
    CHECK(budget.bytes == 6 * gib - 256 * mib);
    CHECK(budget.source ==
          "control group limit 8.00 GiB (/sys/fs/cgroup/box) - 2.00 GiB in use - 256.0 MiB that "
          "programs beside may want = 5.75 GiB");
    host.memory_limit->limit_bytes = 100 * gib;
    CHECK(ram_budget(host).bytes == 59 * gib);
}

TEST_CASE("ulimit -v bounds the budget") {
    Host host = host_with(64 * gib, 60 * gib);
    host.address_space_limit_bytes = 4 * gib;
    CHECK(ram_budget(host).bytes == 4 * gib - 256 * mib);
    CHECK(ram_budget(host).source.find("ulimit -v") != std::string::npos);
}

TEST_CASE("without free memory the budget is nothing, not less") {
    CHECK(ram_budget(host_with(8 * gib, 0)).bytes == 0);
    CHECK(ram_budget(host_with(0, 0)).bytes == 0);
    CHECK(ram_budget(host_with(8 * gib, 0)).source.ends_with("= nothing"));
    Host host = host_with(8 * gib, 8 * gib);
    host.memory_limit = MemoryLimit{"/g", 0, 5 * gib};
    CHECK(ram_budget(host).bytes == 0);
}

TEST_CASE("Metal's limit is taken as Metal says it") {
    Host host = host_with(24 * gib, 15 * gib);
    host.metal_wired_limit_mib = 0;
    const int64_t told = 19069468672;  // an M4 with 24 GB
    const MemoryBudget budget = gpu_budget(host, {device("MTL0", "Metal", "gpu", told, told)});
    CHECK(budget.bytes == told);
    CHECK(budget.source ==
          "Metal's recommendedMaxWorkingSetSize 17.76 GiB of 24.00 GiB RAM (macOS's default, "
          "iogpu.wired_limit_mb=0); 15.00 GiB of the RAM is available now");
    host.metal_wired_limit_mib = 20480;
    CHECK(gpu_budget(host, {device("MTL0", "Metal", "gpu", 0, 0)}).bytes == 20 * gib);
}

TEST_CASE("cards are counted together, each less 1 GiB; a full one counts nothing") {
    const Host host = host_with(64 * gib, 60 * gib);
    const MemoryBudget budget = gpu_budget(host, {device("CUDA0", "CUDA", "gpu", 24 * gib, 23 * gib),
                                                  device("CUDA1", "CUDA", "gpu", 24 * gib, 512 * mib)});
    CHECK(budget.bytes == 22 * gib);
    CHECK(budget.source ==
          "23.00 GiB free of 24.00 GiB on CUDA0 - 1.00 GiB margin, + 512.0 MiB free of 24.00 GiB on "
          "CUDA1 - 1.00 GiB margin = 22.00 GiB");
}

TEST_CASE("graphics that share the RAM have the RAM's budget, if they can address it") {
    const Host host = host_with(16 * gib, 10 * gib);
    CHECK(gpu_budget(host, {device("Vulkan0", "Vulkan", "igpu", 12 * gib, 12 * gib)}).bytes == ram_budget(host).bytes);
    CHECK(gpu_budget(host, {device("Vulkan0", "Vulkan", "igpu", 4 * gib, 4 * gib)}).bytes == 4 * gib);
}

TEST_CASE("weights go to cards before shared graphics, to one backend, and never to another machine") {
    const Device cpu = device("CPU", "CPU", "cpu", gib, gib), cuda = device("CUDA0", "CUDA", "gpu", gib, gib),
                 second = device("CUDA1", "CUDA", "gpu", gib, gib),
                 vulkan = device("Vulkan0", "Vulkan", "gpu", gib, gib),
                 shared = device("Vulkan1", "Vulkan", "igpu", gib, gib), rpc = device("RPC0", "RPC", "gpu", gib, gib);
    const auto names = [](const std::vector<Device>& devices) {
        std::string all;
        for (const Device& one : devices) all += one.name + " ";
        return all;
    };
    CHECK(names(weight_devices({shared, cuda, vulkan, second, rpc, cpu})) == "CUDA0 CUDA1 ");
    CHECK(names(weight_devices({shared, cpu})) == "Vulkan1 ");
    CHECK(names(weight_devices({cpu, rpc})) == "");
}
