#include "cli/setup_voice.h"

#include <vector>

#include "cli/common.h"
#include "cli/progress.h"
#include "install/journal.h"
#include "install/settings.h"
#include "report/voice.h"

namespace ech0 {
namespace {

// The settings say that there is a voice; `undo` takes that back.
void enable_voice() {
    Config config = read_config();
    if (config.voice_enabled) return;
    config.voice_enabled = true;
    apply(settings_change("ech0 setup --voice", config, {false, ""}));
}

}  // namespace

int setup_voice(bool dry_run, bool json) {
    const std::filesystem::path folder = voice_folder();
    const std::vector<VoicePart> parts = voice_parts();
    std::vector<bool> present;
    for (const VoicePart& part : parts) present.push_back(is_present(part, folder));
    if (!json) print(voice_setup_text(parts, present, folder, dry_run));
    if (!dry_run) {
        for (size_t i = 0; i < parts.size(); i++) {
            if (present[i]) continue;
            ProgressLine line;
            fetch_part(parts[i], folder, line.callback());
        }
        enable_voice();
    }
    if (json) print(json_text(voice_setup_json(parts, present, folder, dry_run)));
    if (!json && !dry_run) print("Next: ech0 talk   ('ech0 talk --devices' lists microphones and engines)\n");
    return exit_yes;
}

}  // namespace ech0
