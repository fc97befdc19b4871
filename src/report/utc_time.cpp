#include "report/utc_time.h"

#include <ctime>

namespace ech0 {

std::string utc_time_text(int64_t seconds, const char* format) {
    const std::time_t time = static_cast<std::time_t>(seconds);
    std::tm parts = {};
    char text[64];
    if (gmtime_r(&time, &parts) == nullptr || std::strftime(text, sizeof text, format, &parts) == 0) return "";
    return text;
}

}  // namespace ech0
