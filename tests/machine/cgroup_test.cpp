#include "machine/cgroup.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

constexpr int64_t mib = int64_t{1} << 20;

std::vector<std::string> paths(const std::vector<CgroupFolder>& folders) {
    std::vector<std::string> out;
    for (const CgroupFolder& folder : folders) out.push_back(folder.path.string());
    return out;
}

using Paths = std::vector<std::string>;

void write_group(const fs::path& folder, const std::vector<std::pair<const char*, const char*>>& files) {
    fs::create_directories(folder);
    for (const auto& [name, content] : files) write_file(folder / name, content);
}

}  // namespace

TEST_CASE("the folders of a group go up to the mount") {
    const char* const mounts = "26 25 0:23 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    CHECK(paths(cgroup_folders(mounts, "0::/user.slice/user-1000.slice\n", "memory")) ==
          Paths{"/sys/fs/cgroup/user.slice/user-1000.slice", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"});
    CHECK(paths(cgroup_folders(mounts, "0::/\n", "memory")) == Paths{"/sys/fs/cgroup"});
}

TEST_CASE("version 1 has a hierarchy for each controller, and may stand beside version 2") {
    // A virtual machine with Debian 12 and both, as seen.
    const char* const mounts =
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const char* const membership = "9:name=systemd:/\n4:memory:/process_api/233a\n3:cpuset:/\n1:cpu:/\n0::/\n";
    CHECK(paths(cgroup_folders(mounts, membership, "memory")) ==
          Paths{"/sys/fs/cgroup/memory/process_api/233a", "/sys/fs/cgroup/memory/process_api", "/sys/fs/cgroup/memory",
                "/sys/fs/cgroup/unified"});
    const std::vector<CgroupFolder> cpu = cgroup_folders(mounts, membership, "cpu");
    CHECK(paths(cpu) == Paths{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"});
    CHECK(cpu[0].version == 1);
    CHECK(cpu[1].version == 2);
}

TEST_CASE("in a container the mount begins at the container's own group") {
    const char* const mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    CHECK(paths(cgroup_folders(mounts, "4:memory:/docker/abc\n", "memory")) == Paths{"/sys/fs/cgroup/memory"});
    CHECK(paths(cgroup_folders(mounts, "4:memory:/docker/abc/in\n", "memory")) ==
          Paths{"/sys/fs/cgroup/memory/in", "/sys/fs/cgroup/memory"});
    CHECK(paths(cgroup_folders(mounts, "4:memory:/elsewhere\n", "memory")) == Paths{"/sys/fs/cgroup/memory"});
}

TEST_CASE("a group outside of what is mounted never leads out of the mount") {
    const char* const mounts = "26 25 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    CHECK(paths(cgroup_folders(mounts, "0::/../../etc\n", "memory")) == Paths{"/sys/fs/cgroup"});
}

TEST_CASE("texts that are no mounts and no groups give no folders") {
    const char* const mounts = "26 25 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    for (const char* text : {"", "garbage", "26 25 0:23 / /x rw -", "- - - - - -", ":::::", "\n\n\n"}) {
        CAPTURE(text);
        CHECK(cgroup_folders(text, "0::/\n", "memory").empty());
        CHECK(cgroup_folders(mounts, text, "memory").empty());
    }
}

TEST_CASE("a limit is a number below 2^62; max and version 1's largest number are none") {
    CHECK(parse_memory_limit("8589934592\n") == 8589934592);
    CHECK(parse_memory_limit("0\n") == 0);
    for (const char* text : {"max\n", "9223372036854771712\n", "", "garbage", "-1"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_memory_limit(text).has_value());
    }
}

TEST_CASE("file cache is what can go: files and slabs of version 2, the totals of version 1") {
    CHECK(file_cache_bytes("anon 100\nfile 50\ninactive_file 20\nactive_file 30\nslab_reclaimable 7\n") == 57);
    CHECK(file_cache_bytes("inactive_file 1\nactive_file 2\ntotal_inactive_file 20\ntotal_active_file 30\n") == 50);
    CHECK(file_cache_bytes("") == 0);
    CHECK(file_cache_bytes("inactive_file -3\nactive_file x\nactive_file\n") == 0);
    CHECK(file_cache_bytes("inactive_file 9223372036854775807\nactive_file 9223372036854775807\n") > 0);
}

TEST_CASE("a share of processor time is quota by period") {
    CHECK(parse_cpu_max("150000 100000\n") == doctest::Approx(1.5));
    for (const char* text : {"max 100000\n", "-1\n 100000\n", "", "100000", "0 100000", "100000 0", "a b"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_cpu_max(text).has_value());
    }
}

TEST_CASE("the group with the least memory left bounds us, however far up it is") {
    const TemporaryFolder root;
    write_group(root / "a/b", {{"memory.max", "max\n"}, {"memory.current", "5\n"}, {"memory.stat", ""}});
    write_group(root / "a", {{"memory.max", "1073741824\n"},
                             {"memory.high", "536870912\n"},
                             {"memory.current", "314572800\n"},
                             {"memory.stat", "anon 1\ninactive_file 104857600\nactive_file 104857600\n"}});
    const std::vector<CgroupFolder> folders = {{2, root / "a/b"}, {2, root / "a"}, {2, root.path()}};
    const std::optional<MemoryLimit> limit = tightest_memory_limit(folders);
    REQUIRE(limit);
    CHECK(limit->folder == root / "a");
    CHECK(limit->limit_bytes == 512 * mib);  // memory.high
    CHECK(limit->used_bytes == 100 * mib);   // 300 less 200 of file cache
    CHECK(limit->free_bytes() == 412 * mib);
}

TEST_CASE("version 1's files bound us too, and a group that is full leaves nothing") {
    const TemporaryFolder root;
    write_group(root / "g", {{"memory.limit_in_bytes", "1048576\n"},
                             {"memory.usage_in_bytes", "3145728\n"},
                             {"memory.stat", "total_inactive_file 1\n"},
                             {"cpu.cfs_quota_us", "50000\n"},
                             {"cpu.cfs_period_us", "100000\n"}});
    const std::vector<CgroupFolder> folders = {{1, root / "g"}};
    const std::optional<MemoryLimit> limit = tightest_memory_limit(folders);
    REQUIRE(limit);
    CHECK(limit->free_bytes() == 0);
    CHECK(tightest_cpu_limit(folders) == doctest::Approx(0.5));
}

TEST_CASE("groups without files or limits don't bound us") {
    const TemporaryFolder root;
    write_group(root / "g", {{"memory.max", "garbage"}, {"cpu.max", "garbage"}});
    const std::vector<CgroupFolder> folders = {{2, root / "g"}, {2, root / "absent"}, {1, root / "absent"}};
    CHECK_FALSE(tightest_memory_limit(folders).has_value());
    CHECK_FALSE(tightest_cpu_limit(folders).has_value());
}
