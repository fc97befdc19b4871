#pragma once

#include <string>
#include <vector>

#include "report/json.h"
#include "report/look.h"
#include "verify/file_check.h"

namespace ech0 {

std::string file_check_text(const Model& model, const std::vector<FilePoint>& points, const Look& look = {});

/// The same as "ech0.check/1" (docs/json.md).
Json file_check_json(const Model& model, const std::vector<FilePoint>& points);

}  // namespace ech0
