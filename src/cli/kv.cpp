#include "cli/kv.h"

#include "cli/command_group.h"

namespace ech0 {

void add_kv(CommandLine& line) {
    CLI::App* const kv =
        add_command_group(line, "kv", "the KV cache: its types by measurement, snapshots that are small");
    add_kv_plan(line, kv);
    add_kv_pack(line, kv);
    add_kv_unpack(line, kv);
    add_kv_info(line, kv);
    add_kv_profile(line, kv);
    add_kv_keep(line, kv);
}

}  // namespace ech0
