#include "ech0/machine.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

constexpr int64_t gib = int64_t{1} << 30;

Machine described() {
    Machine machine;
    machine.name = "box-24gb";
    machine.memory_total_bytes = 24 * gib;
    machine.model_budget_bytes = 17 * gib;
    machine.budget_source = "as the maker says";
    machine.budget_grade = Grade::published;
    machine.read_bytes_per_s = 120e9;
    machine.read_grade = Grade::published;
    machine.published.push_back({"llama 7B", "Q4_0", 1, 1, 1, 1, "x"});
    return machine;
}

}  // namespace

TEST_CASE("each grade has a name") {
    CHECK(grade_name(Grade::measured) == "measured");
    CHECK(grade_name(Grade::published) == "published");
    CHECK(grade_name(Grade::predicted) == "predicted");
    CHECK(grade_name(Grade::given) == "given");
}

TEST_CASE("what is overridden is graded as given, the rest stays") {
    const Machine less = with_overrides(described(), 10 * gib, 0);
    CHECK(less.model_budget_bytes == 10 * gib);
    CHECK(less.budget_grade == Grade::given);
    CHECK(less.budget_source == "--memory 10.00 GiB");
    CHECK(less.read_grade == Grade::published);
    CHECK(less.published.size() == 1);
    const Machine faster = with_overrides(described(), 0, 400e9);
    CHECK(faster.read_bytes_per_s == 400e9);
    CHECK(faster.read_grade == Grade::given);
    CHECK(faster.budget_source == "as the maker says");
    CHECK(faster.published.empty());  // measured on other memory
    CHECK(with_overrides(described(), 0, 0).model_budget_bytes == 17 * gib);
}

TEST_CASE("more memory than the machine has contradicts it") {
    CHECK_THROWS_WITH_AS(with_overrides(described(), 25 * gib, 0),
                         "--memory 25.00 GiB: box-24gb has 24.00 GiB in all; name a machine with more by --machine",
                         UsageError);
    CHECK_THROWS_AS(with_overrides(described(), -1, 0), UsageError);
    CHECK(with_overrides(described(), 24 * gib, 0).model_budget_bytes == 24 * gib);
    Machine unknown = described();
    unknown.memory_total_bytes = 0;
    CHECK(with_overrides(unknown, 99 * gib, 0).model_budget_bytes == 99 * gib);
}

TEST_CASE("a bandwidth that no memory has is refused: its unit was forgotten") {
    for (const double wrong : {120.0, -1.0, 1e15, std::nan(""), std::numeric_limits<double>::infinity()}) {
        CAPTURE(wrong);
        CHECK_THROWS_WITH_AS(with_overrides(described(), 0, wrong), doctest::Contains("120GB"), UsageError);
    }
}

TEST_CASE("an unknown machine is refused, with the one that was probably meant") {
    const TemporaryFolder folder;
    const TemporaryVariable config("ECH0_CONFIG", folder.path().string());
    fs::create_directories(folder / "machines");
    write_file(folder / "machines/mine.toml",
               "[[machine]]\nname = \"my-strange-box\"\ntitle = \"x\"\nbackend = \"CPU\"\nmemory_total_bytes = 2\n"
               "model_budget_bytes = 1\nmodel_budget_why = \"x\"\nmodel_budget_grade = \"predicted\"\n"
               "read_bytes_per_s = 1e9\nread_source = \"x\"\n");
    CHECK_THROWS_WITH_AS(find_machine("my-strnge-box"), "no machine 'my-strnge-box'; did you mean 'my-strange-box'?",
                         UsageError);
    CHECK_THROWS_WITH_AS(find_machine("nothing of the kind"),
                         "no machine 'nothing of the kind'; see 'ech0 doctor --profiles'", UsageError);
    CHECK_THROWS_AS(find_machine(""), UsageError);
}

TEST_CASE("this machine is probed, its speed measured once and then remembered") {
    const TemporaryFolder cache;
    const TemporaryVariable variable("ECH0_CACHE", cache.path().string());
    const Machine first = probe_machine();
    CHECK(first.is_this);
    CHECK(first.name == "this");
    CHECK(first.memory_total_bytes > 0);
    CHECK(first.model_budget_bytes <= first.memory_total_bytes);
    CHECK(first.budget_source.find(" = ") != std::string::npos);
    CHECK(first.cores >= 1);
    CHECK_FALSE(first.devices.empty());
    CHECK(first.read_bytes_per_s > 1e8);
    CHECK(first.read_grade == Grade::measured);
    CHECK(fs::exists(cache / "machine.json"));
    CHECK(find_machine("This").read_bytes_per_s == first.read_bytes_per_s);
    write_file(cache / "machine.json", "{broken");
    CHECK(probe_machine().read_bytes_per_s > 0);
    CHECK(read_file(cache / "machine.json").find("ech0.machine/1") != std::string::npos);
}
