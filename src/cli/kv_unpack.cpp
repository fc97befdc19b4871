#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/command_group.h"
#include "cli/kv.h"
#include "cli/progress.h"
#include "kv/kept_profile.h"
#include "kv/pack.h"
#include "model/model_hash.h"
#include "report/kv_snapshot.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string file, out, model, profile;
    int n_threads = 0;
    bool json = false;
};

std::string output_of(const Arguments& arguments) {
    if (!arguments.out.empty()) return arguments.out;
    if (!arguments.file.ends_with(".ekv"))
        throw UsageError(fmt::format("{} does not end in .ekv: name what to write with -o", printable(arguments.file)));
    const std::string out = arguments.file.substr(0, arguments.file.size() - 4);
    if (std::filesystem::exists(out))
        throw UsageError(fmt::format("{} is there already: name what to write with -o", printable(out)));
    return out;
}

KvProfile find_profile(const Ekv& ekv, const Arguments& arguments) {
    const std::filesystem::path file =
        arguments.profile.empty() ? kept_profile_file(ekv.model_sha256) : std::filesystem::path(arguments.profile);
    if (!std::filesystem::exists(file))
        throw UsageError(
            fmt::format("{} was packed with loss and needs the KV profile of {} it was packed with ({}), "
                        "which is not here; copy it from where it was packed and name it with --profile",
                        printable(arguments.file), printable(ekv.model_name), printable(file.string())));
    const std::string bytes = read_file(file);
    if (sha256(bytes) != ekv.loss->profile_sha256)
        throw UsageError(fmt::format("{} is another KV profile than {} was packed with: name that one with --profile",
                                     printable(file.string()), printable(arguments.file)));
    return parse_kv_profile(bytes, file.string());
}

KvState state_of(const Ekv& ekv, const std::string& name) {
    return ekv.content == EkvContent::state ? read_kv_frame(ekv.frame, ekv.content_bytes, name) : KvState{};
}

int kv_unpack(const Arguments& arguments) {
    const auto begin = std::chrono::steady_clock::now();
    const MappedFile file(arguments.file);
    KvConversion done{arguments.file, output_of(arguments), read_ekv(file.bytes(), arguments.file)};
    const KvState state = state_of(done.ekv, arguments.file);
    done.n_tokens = state.n_cells();
    ProgressLine progress;
    KvUnpackOptions options;
    options.n_threads = arguments.n_threads;
    options.progress = progress.callback();
    options.find_profile = [&](const Ekv& ekv) { return find_profile(ekv, arguments); };
    if (!arguments.model.empty()) {
        const Model model = read_model(arguments.model);
        check_kv_state(state, model, arguments.file);
        options.model_sha256 = sha256_of_model(model, progress.callback());
    }
    AtomicFile out(done.output);
    out.expect_size(done.ekv.content_bytes);
    unpack(file.bytes(), done.ekv, arguments.file, options,
           [&](std::span<const uint8_t> bytes) { out.write(bytes.data(), bytes.size()); });
    out.commit();
    done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    print(arguments.json ? json_text(kv_unpack_json(done)) : kv_unpack_text(done));
    return exit_yes;
}

}  // namespace

void add_kv_unpack(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, kv, "unpack", "the state again that an .ekv was made of",
                    "  ech0 kv unpack session.bin.ekv                          to session.bin\n"
                    "  ech0 kv unpack session.ekv -o s.bin --model model.gguf  only if it is that model's",
                    [arguments] { return kv_unpack(*arguments); });
    command->add_option("FILE", arguments->file, "an .ekv")->required();
    command->add_option("-o,--output", arguments->out, "file to write (default: FILE without .ekv)")->type_name("FILE");
    command->add_option("--model", arguments->model, "refuse it if it is of another model than this")
        ->type_name("MODEL");
    command->add_option("--profile", arguments->profile, "KV profile that it was packed with (default: the kept one)")
        ->type_name("FILE");
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
