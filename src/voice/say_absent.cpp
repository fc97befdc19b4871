#include "ech0/error.h"
#include "voice/program_engines.h"

namespace ech0 {

// Other systems have programs of this name that do something else.
std::optional<std::filesystem::path> find_say() { return std::nullopt; }

std::unique_ptr<Speaker> say_speaker(const std::filesystem::path&, const std::string&) {
    throw UsageError("no voice 'say' here: it is macOS's");
}

}  // namespace ech0
