#pragma once

#include <string>

#include "fit/bench.h"
#include "report/json.h"

namespace ech0 {

std::string bench_text(const Bench& bench);
/// "ech0.bench/1"
Json bench_json(const Bench& bench);

}  // namespace ech0
