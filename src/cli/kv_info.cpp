#include <memory>

#include "base/file.h"
#include "cli/command_group.h"
#include "cli/kv.h"
#include "kv/pack.h"
#include "report/kv_snapshot.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string file;
    bool check = false, json = false;
};

void check_blocks(const MappedFile& file, KvFileInfo& info) {
    info.checked = true;
    for (size_t i = 0; i < info.block_names.size(); i++) {
        try {
            ekv_block(file.bytes(), *info.ekv, i, info.file, info.block_names[i]);
        } catch (const FormatError& error) {
            info.damaged.emplace_back(error.what());
        }
    }
}

KvFileInfo look_at(const Arguments& arguments) {
    const MappedFile file(arguments.file);
    KvFileInfo info;
    info.file = arguments.file;
    info.file_bytes = file.size_bytes();
    if (!is_ekv(file.bytes())) {
        info.state = read_kv_state(file.bytes(), arguments.file);
        return info;
    }
    info.ekv = read_ekv(file.bytes(), arguments.file);
    info.block_names = block_names(*info.ekv, arguments.file);
    if (info.ekv->content == EkvContent::state)
        info.state = read_kv_frame(info.ekv->frame, info.ekv->content_bytes, arguments.file);
    if (arguments.check) check_blocks(file, info);
    return info;
}

int kv_info(const Arguments& arguments) {
    const KvFileInfo info = look_at(arguments);
    print(arguments.json ? json_text(kv_info_json(info)) : kv_info_text(info));
    return info.damaged.empty() ? exit_yes : exit_no;
}

}  // namespace

void add_kv_info(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, kv, "info", "what is in an .ekv or a state of llama.cpp",
                    "  ech0 kv info session.ekv             whose cache, how many tokens, how small, what was lost\n"
                    "  ech0 kv info session.ekv --check     read every block; ends with 1 if one is damaged",
                    [arguments] { return kv_info(*arguments); });
    command->add_option("FILE", arguments->file, "an .ekv, or a session, sequence or slot file")->required();
    command->add_flag("--check", arguments->check, "read every block and name those that are damaged");
    add_json(command, arguments->json);
}

}  // namespace ech0
