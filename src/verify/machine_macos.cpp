#include <fmt/format.h>
#include <sys/sysctl.h>

#include <array>
#include <string>

#include "verify/machine.h"

namespace ech0 {

std::string describe_machine(int n_threads) {
    std::array<char, 256> name{};
    size_t size = name.size() - 1;
    const bool known = sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0;
    return fmt::format("{}, {} threads", known ? name.data() : "unknown processor", n_threads);
}

}  // namespace ech0
