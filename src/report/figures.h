#pragma once

#include <string>

namespace ech0 {

// How measured numbers are written, the same in every report.

/// Divergences reach from 1e-7 to 10: about four significant digits, never as 1e-05.
std::string nats_text(double value);
std::string nats_interval(double low, double high);  ///< "[0.0012, 0.0015]"

std::string percent_text(double share);                 ///< "81.3 %"
std::string percent_interval(double low, double high);  ///< "[80.1, 82.4]"

/// From one number to another, as a share of the first: "+12.3 %", "-40.0 %".
std::string change_text(double before, double after);

}  // namespace ech0
