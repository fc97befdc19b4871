#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ech0 {

/// How a long stage tells its caller where it is; the library itself prints nothing. `stage` is a short phrase
/// ("calibrate layer"), `done` of `total` are in whatever unit the stage counts. May be empty.
using Progress = std::function<void(std::string_view stage, int64_t done, int64_t total)>;

}  // namespace ech0
