#include "report/bar.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ech0 {

std::string bar(double share, int64_t width, const Look& look) {
    const double filled = std::clamp(std::isfinite(share) ? share : 0.0, 0.0, 1.0) * static_cast<double>(width);
    if (!look.unicode) {
        const auto n = static_cast<size_t>(std::lround(filled));
        return std::string(n, '#') + std::string(static_cast<size_t>(width) - n, '.');
    }
    static const std::array<const char*, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto n_eighths = static_cast<int64_t>(std::lround(filled * 8));
    std::string text;
    for (int64_t i = 0; i < n_eighths / 8; i++) text += "█";
    text += eighths[static_cast<size_t>(n_eighths % 8)];
    const int64_t used = n_eighths / 8 + (n_eighths % 8 > 0 ? 1 : 0);
    for (int64_t i = used; i < width; i++) text += "·";
    return text;
}

}  // namespace ech0
