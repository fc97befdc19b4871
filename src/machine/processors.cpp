#include "machine/processors.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "machine/system_text.h"

namespace ech0 {
namespace {

std::string_view trimmed(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// "model name\t: AMD EPYC"
std::string_view value_of(std::string_view cpuinfo, std::string_view name) {
    for (const std::string_view line : lines_of(cpuinfo)) {
        const size_t colon = line.find(':');
        if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == name)
            return trimmed(line.substr(colon + 1));
    }
    return {};
}

}  // namespace

std::string processor_name_in(std::string_view cpuinfo) {
    const std::string_view x86 = value_of(cpuinfo, "model name");
    return printable(x86.empty() ? value_of(cpuinfo, "Model") : x86);
}

std::vector<std::string> processor_flags_in(std::string_view cpuinfo) {
    const std::string_view x86 = value_of(cpuinfo, "flags");
    const std::vector<std::string_view> words = words_of(x86.empty() ? value_of(cpuinfo, "Features") : x86);
    return {words.begin(), words.end()};
}

int64_t parse_cache_size(std::string_view text) {
    const std::string_view size = trimmed(text);
    if (size.empty()) return 0;
    const int64_t unit = size.back() == 'K' ? int64_t{1} << 10 : size.back() == 'M' ? int64_t{1} << 20 : 1;
    const int64_t count = parse_count(unit == 1 ? size : size.substr(0, size.size() - 1)).value_or(0);
    constexpr int64_t most = int64_t{1} << 40;  // no cache has a terabyte: then the text is no size
    return count <= most / unit ? count * unit : 0;
}

int64_t count_cores(const std::vector<std::string>& siblings) {
    std::set<std::string_view> named;
    int64_t alone = 0;
    for (const std::string& list : siblings) {
        const std::string_view name = trimmed(list);
        if (name.empty())
            alone++;
        else
            named.insert(name);
    }
    return alone + static_cast<int64_t>(named.size());
}

int64_t cores_within(int64_t cores, double processors) {
    const double whole = std::floor(std::min(processors, static_cast<double>(cores)));
    return std::max<int64_t>(1, static_cast<int64_t>(whole));
}

}  // namespace ech0
