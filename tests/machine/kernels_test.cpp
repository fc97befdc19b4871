#include "machine/kernels.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/process.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("a kernel's speed is measured once and remembered") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", folder.path().string());
    Kernels kernels(1);
    const KernelSpeed first = kernels.of(GGML_TYPE_Q8_0);
    CHECK(first.read_bytes_per_s > 1e8);
    CHECK(first.read_bytes_per_s < 1e13);
    CHECK(first.flops_per_s > first.read_bytes_per_s);  // a batch does more with each byte
    CHECK(kernels.attention_flops_per_s(GGML_TYPE_F16) > 1e7);
    CHECK(kernels.overhead_s_per_node() > 0);
    CHECK(kernels.overhead_s_per_node() < 1e-3);
    kernels.remember();
    Kernels again(1);
    CHECK(again.of(GGML_TYPE_Q8_0).read_bytes_per_s == doctest::Approx(first.read_bytes_per_s));
    CHECK(again.overhead_s_per_node() == doctest::Approx(kernels.overhead_s_per_node()));
}

TEST_CASE("figures that were timed while others had the processor are forgotten after some minutes") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", folder.path().string());
    Kernels kernels(1);
    kernels.of(GGML_TYPE_Q8_0);
    kernels.remember();
    const std::filesystem::path file = std::filesystem::directory_iterator(folder.path())->path();
    constexpr double remembered = 1e6;  // slower than any processor
    const auto speed_if = [&](double waited_share, int64_t minutes_ago) {
        nlohmann::json kept = nlohmann::json::parse(read_file(file));
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        kept["types"]["Q8_0"]["read_bytes_per_s"] = remembered;
        kept["waited_share"] = waited_share;
        kept["timed_at"] = std::chrono::duration_cast<std::chrono::seconds>(now).count() - 60 * minutes_ago;
        write_file(file, kept.dump());
        return Kernels(1).of(GGML_TYPE_Q8_0).read_bytes_per_s;
    };
    CHECK(speed_if(0.05, 1'000'000) == remembered);
    CHECK(speed_if(0.5, 1) == remembered);
    CHECK(speed_if(0.5, 60) > 10 * remembered);
    CHECK(speed_if(0.5, -60) > 10 * remembered);  // the clock was set back
}

TEST_CASE("threads that want more processors than there are have waited") {
    if (!std::filesystem::exists("/proc/self/schedstat")) return;  // this system does not say
    const double before = waited_for_processor_s();
    std::atomic<bool> stop = false;
    std::atomic<double> waited = 0;
    std::vector<std::thread> busy;
    for (unsigned i = 0; i < 2 * std::thread::hardware_concurrency() + 1; i++)
        busy.emplace_back([&] {
            while (!stop) waited = waited + 0;
        });
    for (int tries = 0; tries < 200 && waited_for_processor_s() - before < 0.01; tries++)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(waited_for_processor_s() - before >= 0.01);
    stop = true;
    for (std::thread& thread : busy) thread.join();
}
