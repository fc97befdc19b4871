#pragma once

#include <string>

#include "fit/bench.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

std::string bench_text(const Bench& bench, const Look& look = {});
/// "ech0.bench/1"
Json bench_json(const Bench& bench);
/// What bench_json wrote. @throws FormatError
Bench bench_from_json(const Json& json);

}  // namespace ech0
