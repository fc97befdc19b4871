#pragma once

#include <string>

#include "cli/answering.h"
#include "cli/kept_talks.h"

namespace ech0 {

/// A person at a terminal who talks to a model: lines with editing and history, commands that begin with a slash.
/// @param kept  attached to the answering
/// @param options  for the model that /model loads
/// @param keep_history  keep what is typed in the state folder
/// @return the exit code
int talk_at_terminal(Answering answering, KeptTalks& kept, const RunOptions& options, const Config& config,
                     Thoughts thoughts, bool keep_history);

}  // namespace ech0
