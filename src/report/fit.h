#pragma once

#include <string>

#include "fit/fit.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// Machine, the options worth looking at, the recommendation and the command.
/// @param all  every option, not only those on the front and the largest that was refused
std::string fit_text(const Fit& fit, bool all, const Look& look = {});
/// The arithmetic behind it, in words and numbers.
std::string fit_explanation(const Fit& fit);
/// "ech0.fit/1"
Json fit_json(const Fit& fit);
/// What fit_json wrote. @throws FormatError
Fit fit_from_json(const Json& json);

}  // namespace ech0
