#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/look.h"

namespace ech0 {

struct ScatterPoint {
    double x = 0, y = 0;
    std::string mark;  ///< one character
    std::string name;  ///< beside it, where there is room
};

/// Points in a frame of characters, the vertical axis logarithmic, lower ones further down. Later points lie on top.
struct Scatter {
    std::string x_title, y_title;
    std::vector<ScatterPoint> points;  ///< y > 0
    std::optional<double> limit;       ///< a line across at this x
    int64_t height = 14;

    std::string text(const Look& look) const;
};

}  // namespace ech0
