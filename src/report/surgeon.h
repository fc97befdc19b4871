#pragma once

#include <string>
#include <vector>

#include "report/json.h"
#include "surgeon/opinion.h"

namespace ech0 {

/// ech0.surgeon/1. @param verdict  of ech0 compress --allow-prune; empty: not measured
Json surgeon_json(const Brief& brief, const std::string& analyst, const std::vector<Opinion>& opinions,
                  const std::string& verdict);

/// The same as a page of Markdown.
std::string surgeon_markdown(const Brief& brief, const std::string& analyst, const std::vector<Opinion>& opinions,
                             const std::string& verdict);

}  // namespace ech0
