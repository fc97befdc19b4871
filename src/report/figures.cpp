#include "report/figures.h"

#include <fmt/format.h>

#include <cmath>

namespace ech0 {

std::string nats_text(double value) {
    const double size = std::abs(value);
    return size >= 1      ? fmt::format("{:.3f}", value)
           : size >= 0.01 ? fmt::format("{:.4f}", value)
                          : fmt::format("{:.6f}", value);
}

std::string nats_interval(double low, double high) { return fmt::format("[{}, {}]", nats_text(low), nats_text(high)); }

std::string percent_text(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string percent_interval(double low, double high) { return fmt::format("[{:.1f}, {:.1f}]", 100 * low, 100 * high); }

std::string change_text(double before, double after) {
    return before > 0 ? fmt::format("{:+.1f} %", 100 * (after / before - 1)) : "";
}

}  // namespace ech0
