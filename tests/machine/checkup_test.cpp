#include "machine/checkup.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

constexpr int64_t gib = int64_t{1} << 30;

// A machine with nothing to complain of.
Checkup healthy() {
    Checkup checkup;
    Host& host = checkup.probe.host;
    host.processor_flags = {"sse2", "avx2"};
    host.cores = host.cores_total = 8;
    host.memory_total_bytes = 32 * gib;
    host.memory_available_bytes = 28 * gib;
    Machine& machine = checkup.probe.machine;
    machine.backend = "CPU";
    machine.memory_total_bytes = 32 * gib;
    machine.model_budget_bytes = 27 * gib;
    machine.isa = {"AVX2"};
    machine.devices = {{"CPU", "a processor", "CPU", "cpu", 32 * gib, 28 * gib}};
    checkup.backends = {"CPU", "RPC"};
    checkup.disks = {{"cache", "/home/me/.cache/ech0", 500000000000, 1000000000000},
                     {"current folder", "/home/me", 500000000000, 1000000000000}};
    return checkup;
}

// The one problem of this machine; both its texts in one.
std::string only_problem(const Checkup& checkup) {
    const std::vector<Problem> problems = find_problems(checkup);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].remedy != "");
    return problems[0].what + " | " + problems[0].remedy;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a healthy machine has no problems") { CHECK(find_problems(healthy()).empty()); }

TEST_CASE("a model that may take next to nothing is a problem, with the arithmetic") {
    Checkup checkup = healthy();
    checkup.probe.machine.model_budget_bytes = 0;
    checkup.probe.machine.budget_source = "0 B available = nothing";
    CHECK(has(only_problem(checkup), "0 B only: 0 B available = nothing"));
}

TEST_CASE("limits below the machine's memory are problems; those above are not") {
    Checkup checkup = healthy();
    checkup.probe.host.memory_limit = MemoryLimit{"/sys/fs/cgroup/box", 8 * gib, gib};
    CHECK(has(only_problem(checkup), "8.00 GiB of 32.00 GiB RAM: limit of its control group /sys/fs/cgroup/box"));
    checkup.probe.host.memory_limit->limit_bytes = 64 * gib;
    CHECK(find_problems(checkup).empty());
    checkup.probe.host.address_space_limit_bytes = 4 * gib;
    CHECK(has(only_problem(checkup), "ulimit -v unlimited"));
}

TEST_CASE("memory that others hold and busy swap are problems") {
    Checkup checkup = healthy();
    checkup.probe.host.memory_available_bytes = 4 * gib;
    CHECK(has(only_problem(checkup), "other programs hold 28.00 GiB of 32.00 GiB"));
    checkup = healthy();
    checkup.probe.host.swap_total_bytes = checkup.probe.host.swap_used_bytes = 6 * gib;
    CHECK(has(only_problem(checkup), "6.00 GiB are swapped out"));
    checkup.probe.host.swap_used_bytes = 3 * gib;
    CHECK(find_problems(checkup).empty());
}

TEST_CASE("a card without a backend is a problem, a card with one is not") {
    Checkup checkup = healthy();
    checkup.probe.host.gpu_makers = {"AMD", "NVIDIA"};
    const std::string problem = only_problem(checkup);
    CHECK(has(problem, "there is a GPU (AMD, NVIDIA)"));
    CHECK(has(problem, "its backends are CPU, RPC"));
    CHECK(has(problem, "-DGGML_CUDA=ON"));
    checkup.probe.host.gpu_makers = {"AMD"};
    CHECK(has(only_problem(checkup), "-DGGML_VULKAN=ON"));
    checkup.probe.machine.devices.push_back({"Vulkan0", "a card", "Vulkan", "gpu", gib, gib});
    CHECK(find_problems(checkup).empty());
}

TEST_CASE("no AVX2 is a problem on x86, and whose fault it is is said") {
    Checkup checkup = healthy();
    checkup.probe.machine.isa = {"SSE3"};
    CHECK(has(only_problem(checkup), "this build of the engine does not use it"));
    checkup.probe.host.processor_flags = {"sse2"};
    CHECK(has(only_problem(checkup), "the processor has no AVX2"));
    checkup.probe.host.processor_flags = {"asimd"};
    CHECK(find_problems(checkup).empty());
}

TEST_CASE("cores that this process may not use are a problem") {
    Checkup checkup = healthy();
    checkup.probe.host.cores = 2;
    CHECK(find_problems(checkup).empty());  // a Mac's efficient cores: nobody took them away
    checkup.probe.host.cores_limit = "taskset";
    CHECK(has(only_problem(checkup), "2 of 8 cores: taskset"));
}

TEST_CASE("a busy processor is a problem: what is measured beside it is too low") {
    Checkup checkup = healthy();
    checkup.probe.host.load_average = 3.9;
    CHECK(find_problems(checkup).empty());
    checkup.probe.host.load_average = 5;
    CHECK(has(only_problem(checkup), "load 5.0 on 8 cores"));
}

TEST_CASE("Metal's default limit is mentioned with the command that widens it") {
    Checkup checkup = healthy();
    checkup.probe.machine.backend = "Metal";
    checkup.probe.host.memory_total_bytes = 24 * gib;
    checkup.probe.machine.model_budget_bytes = 17 * gib;
    CHECK(find_problems(checkup).empty());  // no such setting: an Intel Mac
    checkup.probe.host.metal_wired_limit_mib = 0;
    CHECK(has(only_problem(checkup), "sudo sysctl iogpu.wired_limit_mb=20480"));
    checkup.probe.host.metal_wired_limit_mib = 18000;
    CHECK(find_problems(checkup).empty());
}

TEST_CASE("a disk that is nearly full is told once, though both folders lie on it") {
    Checkup checkup = healthy();
    checkup.disks[0].free_bytes = checkup.disks[1].free_bytes = 2000000000;
    CHECK(has(only_problem(checkup), "the disk of cache (/home/me/.cache/ech0) has 2.00 GB free"));
    checkup.disks[1].free_bytes = 1000000000;
    CHECK(find_problems(checkup).size() == 2);
}

TEST_CASE("a missing HOME is a problem") {
    Checkup checkup = healthy();
    checkup.has_home = false;
    CHECK(has(only_problem(checkup), "neither HOME nor ECH0_CACHE"));
}
