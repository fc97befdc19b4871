#include "install/settings.h"

#include "base/text.h"
#include "install/production.h"
#include "install/shell_rc.h"

namespace ech0 {

Change settings_change(std::string command, const Config& config, const SettingsFiles& files) {
    Change change{std::move(command), {}, ""};
    FileEdit settings = edit_of(config_file());
    settings.after = with_config(settings.before.value_or(""), config);
    change.edits.push_back(std::move(settings));
    FileEdit production = edit_of(production_file());
    if (files.production || production.before) production.after = production_text(config);
    change.edits.push_back(std::move(production));
    if (files.shell.empty()) return change;
    FileEdit rc = edit_of(shell_rc_file(files.shell));
    rc.after =
        with_shell_block(rc.before.value_or(""), files.shell, production_file(), printable(rc.file.string(), 400));
    change.edits.push_back(std::move(rc));
    return change;
}

}  // namespace ech0
