#include "cli/kv.h"

#include "cli/command_group.h"

namespace ech0 {

void add_kv(CommandLine& line) {
    CLI::App* const kv = add_command_group(line, "kv", "the KV cache: its types by measurement");
    add_kv_plan(line, kv);
}

}  // namespace ech0
