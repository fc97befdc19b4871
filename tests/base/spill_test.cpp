#include "base/spill.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "ech0/error.h"
#include "support/temporary_folder.h"

namespace ech0 {
namespace {

std::vector<float> counted(size_t n, float from) {
    std::vector<float> values(n);
    std::iota(values.begin(), values.end(), from);
    return values;
}

bool same(std::span<const float> a, const std::vector<float>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("what the allowance does not hold goes to a file and comes back, and the file has no name") {
    const TemporaryFolder folder;
    const auto spill = std::make_shared<Spill>(folder.path(), 2 * 100 * 4);
    FloatArrays arrays(spill);
    for (size_t i = 0; i < 5; i++) arrays.put(i, counted(100, static_cast<float>(1000 * i)));
    CHECK(spill->spilled_bytes() == 3 * 100 * 4);
    for (size_t i = 0; i < 5; i++) CHECK(same(arrays[i], counted(100, static_cast<float>(1000 * i))));
    CHECK(std::filesystem::is_empty(folder.path()));
    arrays.put(4, counted(100, 7));
    CHECK(same(arrays[4], counted(100, 7)));
    CHECK(same(arrays[3], counted(100, 3000)));
    CHECK(spill->spilled_bytes() == 3 * 100 * 4);  // in its own place
}

TEST_CASE("places and allowance of arrays that are gone are used again") {
    const TemporaryFolder folder;
    const auto spill = std::make_shared<Spill>(folder.path(), 100 * 4);
    for (int round = 0; round < 3; round++) {
        FloatArrays arrays(spill);
        arrays.put(0, counted(100, 1));
        arrays.put(1, counted(100, 2));
        FloatArrays moved = std::move(arrays);
        CHECK(same(moved[1], counted(100, 2)));
    }
    CHECK(spill->spilled_bytes() == 100 * 4);
}

TEST_CASE("an array may change its length") {
    const TemporaryFolder folder;
    FloatArrays arrays(std::make_shared<Spill>(folder.path(), 0));
    arrays.put(0, counted(10, 1));
    arrays.put(0, counted(30, 2));
    CHECK(same(arrays[0], counted(30, 2)));
    CHECK_THROWS(arrays[1]);
}

TEST_CASE("a folder that cannot be made is said") {
    const TemporaryFolder folder;
    FloatArrays arrays(std::make_shared<Spill>("/proc/no/such/folder", 0));
    CHECK_THROWS_AS(arrays.put(0, counted(10, 1)), FileError);
}

}  // namespace ech0
