#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>
#include <string>

#include "base/text.h"
#include "verify/machine.h"

namespace ech0 {
namespace {

/// "model name" on x86, "Model" on a Raspberry Pi; other processors say nothing a person would know.
std::string processor_name() {
    std::ifstream info("/proc/cpuinfo");
    std::string line;
    while (std::getline(info, line)) {
        if (!line.starts_with("model name") && !line.starts_with("Model")) continue;
        const size_t colon = line.find(": ");
        if (colon != std::string::npos) return printable(line.substr(colon + 2));
    }
    utsname system{};
    return uname(&system) == 0 ? system.machine : "unknown processor";
}

}  // namespace

std::string describe_machine(int n_threads) { return fmt::format("{}, {} threads", processor_name(), n_threads); }

}  // namespace ech0
