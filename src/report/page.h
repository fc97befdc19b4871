#pragma once

#include <string>

#include "report/json.h"

namespace ech0 {

/// One HTML file that shows this data: an ech0.dashboard/1, or any one run. It needs no network and runs no script but
/// the one it came with (its policy names that by hash). Whatever the data holds, it can't leave its place in the page.
std::string page_html(const Json& data);

}  // namespace ech0
