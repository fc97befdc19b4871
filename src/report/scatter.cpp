#include "report/scatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/table.h"

namespace ech0 {
namespace {

constexpr int64_t left = 9;  // columns for the numbers of the vertical axis

struct Frame {
    double x_low = 0, x_high = 1, y_low = 0, y_high = 1;  // y as logarithms
    int64_t width = 0, height = 0;
    std::vector<std::vector<std::string>> cells;  // [height][width], a character each

    int64_t column(double x) const {
        return std::lround((x - x_low) / (x_high - x_low) * static_cast<double>(width - 1));
    }
    int64_t row(double y) const {
        return std::lround((y_high - std::log10(y)) / (y_high - y_low) * static_cast<double>(height - 1));
    }
    std::string& at(int64_t row, int64_t column) {
        return cells[static_cast<size_t>(row)][static_cast<size_t>(column)];
    }
};

Frame frame_of(const Scatter& scatter, const Look& look) {
    Frame frame;
    const auto by_x = [](const ScatterPoint& a, const ScatterPoint& b) { return a.x < b.x; };
    const auto by_y = [](const ScatterPoint& a, const ScatterPoint& b) { return a.y < b.y; };
    const auto [x0, x1] = std::minmax_element(scatter.points.begin(), scatter.points.end(), by_x);
    const auto [y0, y1] = std::minmax_element(scatter.points.begin(), scatter.points.end(), by_y);
    frame.x_low = std::min(x0->x, scatter.limit.value_or(x0->x));
    frame.x_high = std::max(x1->x, scatter.limit.value_or(x1->x));
    frame.y_low = std::log10(y0->y);
    frame.y_high = std::log10(y1->y);
    if (frame.x_high <= frame.x_low) frame.x_high = frame.x_low + 1;
    if (frame.y_high <= frame.y_low) frame.y_high = frame.y_low + 1;
    frame.width = std::clamp<int64_t>(look.width - left - 2, 30, 100);
    frame.height = scatter.height;
    frame.cells.assign(static_cast<size_t>(frame.height),
                       std::vector<std::string>(static_cast<size_t>(frame.width), " "));
    return frame;
}

void add_limit(Frame& frame, double limit, const Look& look) {
    const int64_t column = frame.column(limit);
    for (int64_t row = 0; row < frame.height; row++) frame.at(row, column) = look.unicode ? "┊" : ":";
}

/// Each name to the right of its mark, or to the left; none where something stands already.
void add_name(Frame& frame, const ScatterPoint& point) {
    const int64_t row = frame.row(point.y), column = frame.column(point.x);
    const auto n = static_cast<int64_t>(point.name.size());
    for (const int64_t begin : {column + 2, column - 1 - n}) {
        if (begin < 0 || begin + n > frame.width) continue;
        const auto blank = [&](int64_t c) { return c < 0 || c >= frame.width || frame.at(row, c) == " "; };
        bool free = true;
        for (int64_t i = -1; i <= n; i++) free = free && (begin + i == column || blank(begin + i));
        if (!free) continue;
        for (int64_t i = 0; i < n; i++) frame.at(row, begin + i) = point.name.substr(static_cast<size_t>(i), 1);
        return;
    }
}

std::string y_label(const Frame& frame, int64_t row) {
    if (row % 4 != 0 && row != frame.height - 1) return std::string(left, ' ');
    const double share = static_cast<double>(row) / static_cast<double>(frame.height - 1);
    const double y = std::pow(10, frame.y_high - share * (frame.y_high - frame.y_low));
    return fmt::format("{:>{}.2g} ", y, left - 1);
}

}  // namespace

std::string Scatter::text(const Look& look) const {
    if (points.size() < 2) return "";
    Frame frame = frame_of(*this, look);
    if (limit) add_limit(frame, *limit, look);
    for (const ScatterPoint& point : points) frame.at(frame.row(point.y), frame.column(point.x)) = point.mark;
    // The last ones matter most, so they get their names first.
    for (auto point = points.rbegin(); point != points.rend(); ++point)
        if (!point->name.empty()) add_name(frame, *point);
    std::string text = "  " + y_title + "\n";
    for (int64_t row = 0; row < frame.height; row++) {
        std::string line = y_label(frame, row) + (look.unicode ? "│" : "|");
        for (const std::string& cell : frame.cells[static_cast<size_t>(row)]) line += cell;
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    text += std::string(left, ' ') + (look.unicode ? "└" : "+");
    for (int64_t i = 0; i < frame.width; i++) text += look.unicode ? "─" : "-";
    const std::string low = fmt::format("{:.3g}", frame.x_low), high = fmt::format("{:.3g}", frame.x_high);
    const auto room = frame.width - static_cast<int64_t>(low.size() + high.size() + text_width(x_title));
    const auto half = static_cast<size_t>(std::max<int64_t>(1, room / 2));
    text += "\n" + std::string(left + 1, ' ') + low + std::string(half, ' ') + x_title + std::string(half, ' ') + high;
    return text + "\n";
}

}  // namespace ech0
