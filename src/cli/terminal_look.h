#pragma once

#include "report/look.h"

namespace ech0 {

/// What stdout can show: colour only on a terminal that is not told otherwise (NO_COLOR, TERM=dumb), characters beyond
/// ASCII only where the locale's encoding is UTF-8.
Look terminal_look();

}  // namespace ech0
