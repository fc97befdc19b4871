#pragma once

#include <cstdint>
#include <string>

namespace ech0 {

/// Unix time as text, in UTC: the same wherever it is read. @param format  as strftime's
std::string utc_time_text(int64_t seconds, const char* format = "%Y-%m-%dT%H:%M:%SZ");

}  // namespace ech0
