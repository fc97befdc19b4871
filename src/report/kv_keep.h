#pragma once

#include <string>

#include "kv/keep.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// The table and the verdict: which of the tried numbers of tokens holds, if any.
std::string kv_keep_text(const KeepReport& report, const Look& look = {});
Json kv_keep_json(const KeepReport& report);  ///< "ech0.kv.keep/1"

}  // namespace ech0
