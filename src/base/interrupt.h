#pragma once

#include "ech0/error.h"

namespace ech0 {

/// Let SIGINT and SIGTERM end the work at the next safe place instead of at once. The second signal kills.
void install_interrupt_handler();

bool interrupted();

/// @throws Interrupted if a signal came; called between units of work, so that nothing half-written stays.
void check_interrupt();

/// Forget the Ctrl-C that came (a chat answer was stopped, the program goes on). SIGTERM is not forgotten.
void clear_interrupt();

}  // namespace ech0
