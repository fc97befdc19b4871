#pragma once

#include <filesystem>
#include <string>

#include "cli/answering.h"

namespace ech0 {

/// Write the conversation: into FILE.ekv with the cache, into any other file as JSON.
/// @return what was done, for the person
std::string save_talk(Answering& answering, const std::string& file);

/// Go on with a conversation that save_talk wrote. From an .ekv the cache comes too; where only the messages can be
/// used, that is said on stderr, and they are read again with the next message.
/// @return what was done, for the person
/// @throws UsageError if it is another model's; FormatError if it is damaged or no conversation; FileError. The
///         conversation is then as it was
std::string load_talk(Answering& answering, const std::string& file);

}  // namespace ech0
