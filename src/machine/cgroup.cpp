#include "machine/cgroup.h"

#include <algorithm>

#include "machine/system_text.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

/// A mounted hierarchy of groups.
struct Mount {
    int version = 2;
    std::string root;  // the group that is seen at the mount point: "/" unless a container was given a part only
    fs::path point;
};

bool has_item(std::string_view comma_list, std::string_view item) {
    for (size_t at = 0; at <= comma_list.size();) {
        const size_t end = std::min(comma_list.find(',', at), comma_list.size());
        if (comma_list.substr(at, end - at) == item) return true;
        at = end + 1;
    }
    return false;
}

// "36 35 98:0 ROOT POINT rw,noatime [shared:1 …] - TYPE SOURCE OPTIONS"
std::vector<Mount> mounts_of(std::string_view mountinfo, std::string_view controller) {
    std::vector<Mount> mounts;
    for (const std::string_view line : lines_of(mountinfo)) {
        const std::vector<std::string_view> words = words_of(line);
        const auto dash = std::find(words.begin(), words.end(), "-");
        if (words.size() < 6 || words.end() - dash < 3) continue;
        const std::string_view type = dash[1], options = words.back();
        if (type != "cgroup2" && !(type == "cgroup" && has_item(options, controller))) continue;
        mounts.push_back({type == "cgroup2" ? 2 : 1, std::string(words[3]), fs::path(words[4])});
    }
    return mounts;
}

// Our group in a hierarchy, as a path from its root: "/docker/abc". Empty if we are in none.
std::string group_in(std::string_view membership, int version, std::string_view controller) {
    for (const std::string_view line : lines_of(membership)) {
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const bool ours =
            version == 2 ? controllers.empty() && line.starts_with("0:") : has_item(controllers, controller);
        if (ours) return std::string(line.substr(second + 1));
    }
    return "";
}

// The folders from a group up to where the hierarchy is mounted. A group outside of what is mounted ("/../x", or a path
// of the host's inside a container) leaves the mount point itself, which is then our own group or above it.
std::vector<fs::path> folders_up(const Mount& mount, std::string_view group) {
    if (mount.root != "/") {
        const bool inside = group.starts_with(mount.root);
        group = inside ? group.substr(mount.root.size()) : std::string_view();
    }
    std::vector<fs::path> below = {mount.point};
    for (const fs::path& part : fs::path(group).relative_path()) {
        if (part == "..") return {mount.point};
        if (!part.empty() && part != ".") below.push_back(below.back() / part);
    }
    std::reverse(below.begin(), below.end());
    return below;
}

int64_t count_in(const fs::path& file) { return parse_count(read_system_text(file)).value_or(0); }

std::optional<int64_t> lesser(std::optional<int64_t> a, std::optional<int64_t> b) {
    return a && b ? std::min(a, b) : a ? a : b;
}

std::optional<MemoryLimit> memory_limit_of(const CgroupFolder& folder) {
    const bool v2 = folder.version == 2;
    const auto limit_in = [&](const char* name) { return parse_memory_limit(read_system_text(folder.path / name)); };
    // Above memory.high the kernel takes memory back as fast as a program asks for it: no place for a model either.
    const std::optional<int64_t> limit =
        v2 ? lesser(limit_in("memory.max"), limit_in("memory.high")) : limit_in("memory.limit_in_bytes");
    if (!limit) return std::nullopt;
    const int64_t used = count_in(folder.path / (v2 ? "memory.current" : "memory.usage_in_bytes"));
    const int64_t cache = file_cache_bytes(read_system_text(folder.path / "memory.stat"));
    return MemoryLimit{folder.path, *limit, std::max<int64_t>(0, used - cache)};
}

std::optional<double> cpu_limit_of(const CgroupFolder& folder) {
    if (folder.version == 2) return parse_cpu_max(read_system_text(folder.path / "cpu.max"));
    return parse_cpu_max(read_system_text(folder.path / "cpu.cfs_quota_us") + " " +
                         read_system_text(folder.path / "cpu.cfs_period_us"));
}

}  // namespace

std::vector<CgroupFolder> cgroup_folders(std::string_view mountinfo, std::string_view membership,
                                         std::string_view controller) {
    std::vector<CgroupFolder> folders;
    for (const Mount& mount : mounts_of(mountinfo, controller)) {
        const std::string group = group_in(membership, mount.version, controller);
        if (group.empty()) continue;
        for (fs::path& path : folders_up(mount, group)) folders.push_back({mount.version, std::move(path)});
    }
    return folders;
}

std::optional<int64_t> parse_memory_limit(std::string_view text) {
    constexpr int64_t no_limit = int64_t{1} << 62;
    const std::optional<int64_t> bytes = parse_count(text);
    return bytes && *bytes < no_limit ? bytes : std::nullopt;
}

int64_t file_cache_bytes(std::string_view memory_stat) {
    // Version 1 tells of the group alone and, as total_…, of the groups inside too, as its usage_in_bytes does.
    int64_t own = 0, total = 0;
    for (const std::string_view line : lines_of(memory_stat)) {
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() != 2) continue;
        const int64_t bytes = std::min(parse_count(words[1]).value_or(0), int64_t{1} << 60);
        if (words[0] == "active_file" || words[0] == "inactive_file" || words[0] == "slab_reclaimable") own += bytes;
        if (words[0] == "total_active_file" || words[0] == "total_inactive_file") total += bytes;
    }
    return std::max(own, total);
}

std::optional<double> parse_cpu_max(std::string_view text) {
    std::string one_line(text);
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    const std::vector<std::string_view> words = words_of(one_line);
    if (words.size() != 2) return std::nullopt;
    const std::optional<int64_t> quota = parse_count(words[0]), period = parse_count(words[1]);
    if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;  // "max", "-1"
    return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<MemoryLimit> tightest_memory_limit(const std::vector<CgroupFolder>& folders) {
    std::optional<MemoryLimit> tightest;
    for (const CgroupFolder& folder : folders) {
        const std::optional<MemoryLimit> limit = memory_limit_of(folder);
        if (limit && (!tightest || limit->free_bytes() < tightest->free_bytes())) tightest = limit;
    }
    return tightest;
}

std::optional<double> tightest_cpu_limit(const std::vector<CgroupFolder>& folders) {
    std::optional<double> tightest;
    for (const CgroupFolder& folder : folders) {
        const std::optional<double> limit = cpu_limit_of(folder);
        if (limit && (!tightest || *limit < *tightest)) tightest = limit;
    }
    return tightest;
}

}  // namespace ech0
