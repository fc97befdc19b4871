#include "voice/temporary_wav.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <system_error>

#include "ech0/error.h"
#include "voice/wav.h"

namespace ech0 {

TemporaryWav::TemporaryWav() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ech0-voice-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
        throw FileError(fmt::format("make a folder in {}: {}", std::filesystem::temp_directory_path().string(),
                                    std::generic_category().message(errno)));
    folder_ = pattern;
    path_ = folder_ / "speech.wav";
}

TemporaryWav::TemporaryWav(const Sound& sound) : TemporaryWav() { write_wav(path_, sound); }

TemporaryWav::~TemporaryWav() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

}  // namespace ech0
