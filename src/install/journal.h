#pragma once

// The way back. What a command is about to change is written down first, with the bytes that were there; then the files
// are written, each as a whole. Whatever happens in between, `undo` finds for each file that it is as before, or as
// after, and restores the former. The newest change is undone first. Entries: changes/N.cbor in the state folder.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "install/change.h"

namespace ech0 {

/// Carry it out: note the way back, then write the files. A failure puts back what was written already.
/// @return false if there is nothing to change; then nothing is noted
/// @throws FileError naming the file that can't be written
bool apply(const Change& change);

/// The last change that is not undone.
/// @throws FormatError if its entry is damaged
std::optional<Change> last_change();

/// Put the files of the last change back and forget it. Folders that it made and that are empty now go too.
/// @throws UsageError, before anything is written, if a file was changed since by somebody else
void undo_last_change();

}  // namespace ech0
