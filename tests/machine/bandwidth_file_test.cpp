#include "machine/bandwidth_file.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

const BandwidthKey key{"AMD EPYC", 2, 25000000000, "llama.cpp 1, ggml 2"};
const ReadBandwidth read{30e9, 28e9, 20e9, 40, 268435456, 2};

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    return text.replace(text.find(what), what.size(), with);
}

}  // namespace

TEST_CASE("a measurement is remembered for its machine and engine") {
    const TemporaryFolder folder;
    const auto file = folder / "cache/machine.json";
    remember_bandwidth(file, key, read);
    const std::optional<ReadBandwidth> found = remembered_bandwidth(file, key);
    REQUIRE(found);
    CHECK(found->best_bytes_per_s == 30e9);
    CHECK(found->median_bytes_per_s == 28e9);
    CHECK(found->worst_bytes_per_s == 20e9);
    CHECK(found->n_passes == 40);
    CHECK(found->buffer_bytes == 268435456);
    CHECK(found->n_threads == 2);
}

TEST_CASE("a measurement of another machine or by another engine is not ours") {
    const TemporaryFolder folder;
    const auto file = folder / "machine.json";
    remember_bandwidth(file, key, read);
    BandwidthKey other = key;
    other.processor = "Apple M4";
    CHECK_FALSE(remembered_bandwidth(file, other));
    other = key, other.cores = 1;
    CHECK_FALSE(remembered_bandwidth(file, other));
    other = key, other.memory_total_bytes++;
    CHECK_FALSE(remembered_bandwidth(file, other));
    other = key, other.engine += "1";
    CHECK_FALSE(remembered_bandwidth(file, other));
}

TEST_CASE("a file that is absent, broken or impossible is no measurement") {
    const TemporaryFolder folder;
    const auto file = folder / "machine.json";
    CHECK_FALSE(remembered_bandwidth(file, key));
    CHECK_FALSE(remembered_bandwidth(folder.path(), key));
    remember_bandwidth(file, key, read);
    const std::string whole = read_file(file);
    for (size_t size = 0; size + 2 < whole.size(); size += 7) {  // without its last brace
        CAPTURE(size);
        write_file(file, whole.substr(0, size));
        CHECK_FALSE(remembered_bandwidth(file, key));
    }
    for (const std::string& text :
         {std::string("null"), std::string("[]"), replaced(whole, "machine/1", "machine/2"),
          replaced(whole, "30000000000.0", "\"fast\""), replaced(whole, "30000000000.0", "1.0"),
          replaced(whole, "20000000000.0", "-1.0"), replaced(whole, "30000000000.0", "1e999")}) {
        CAPTURE(text);
        write_file(file, text);
        CHECK_FALSE(remembered_bandwidth(file, key));
    }
}

TEST_CASE("a folder that can't be written is an error that names the file") {
    CHECK_THROWS_WITH_AS(remember_bandwidth("/proc/nowhere/machine.json", key, read),
                         doctest::Contains("/proc/nowhere"), FileError);
}
