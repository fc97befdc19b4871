#pragma once

namespace ech0 {

/// What `talk` needs, fetched and checked; what is there stays. @return the exit code
int setup_voice(bool dry_run, bool json);

}  // namespace ech0
