#include <chrono>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/command_group.h"
#include "cli/kv.h"
#include "cli/progress.h"
#include "kv/continuation.h"
#include "kv/kept_profile.h"
#include "kv/pack.h"
#include "report/kv_snapshot.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

struct Arguments {
    std::string file, out, model, raw;
    double kl = 0, ratio = 0;
    bool with_profile = false, no_check = false;
    int n_threads = 0;
    bool json = false;

    bool lossy() const { return kl > 0 || ratio > 0; }
};

void check(const Arguments& arguments) {
    if (arguments.lossy() && arguments.model.empty())
        throw UsageError("packing with loss needs the model that the cache is of: --model MODEL");
    if (!arguments.raw.empty() && (arguments.lossy() || !arguments.model.empty()))
        throw UsageError("--raw packs numbers without loss and without a model");
    if (arguments.with_profile && !arguments.lossy())
        throw UsageError("--with-profile is for --kl and --ratio: without loss no profile is needed");
}

std::string output_of(const Arguments& arguments) {
    if (!arguments.out.empty()) return arguments.out;
    const std::string out = arguments.file + ".ekv";
    if (fs::exists(out))
        throw UsageError(fmt::format("{} is there already: name what to write with -o", printable(out)));
    return out;
}

/// TYPE:COLUMNS.
std::pair<ggml_type, int64_t> raw_form(const std::string& raw) {
    const size_t colon = raw.find(':');
    char* end = nullptr;
    const int64_t n = colon == std::string::npos ? 0 : std::strtoll(raw.c_str() + colon + 1, &end, 10);
    if (n < 1 || n > int64_t{1} << 24 || *end != '\0')
        throw UsageError(fmt::format("--raw {}: wanted TYPE:COLUMNS, like f32:1000", printable(raw)));
    return {type_by_name(raw.substr(0, colon)), n};
}

/// A file that changes while it is read would be packed half old, half new.
class Unchanged {
public:
    explicit Unchanged(fs::path file) : file_(std::move(file)), size_(fs::file_size(file_)), time_(last_write()) {}

    void check() const {
        if (fs::file_size(file_) != size_ || last_write() != time_)
            throw FileError(fmt::format("{} changed while it was read: wait until it is written, then pack it again",
                                        printable(file_.string())));
    }

private:
    fs::file_time_type last_write() const { return fs::last_write_time(file_); }

    fs::path file_;
    uintmax_t size_;
    fs::file_time_type time_;
};

/// The model, for what needs it running.
struct Instruments {
    KeptProfile kept;
    std::optional<Session> session;
    std::optional<KvState> state;
    std::optional<Continuation> continuation;
    KvLossWish wish;
};

void prepare_loss(const Arguments& arguments, const Model& model, std::span<const uint8_t> bytes,
                  const Progress& progress, Instruments& tools) {
    model.require_weights();
    const int n_threads = arguments.n_threads > 0 ? arguments.n_threads : default_threads();
    KvProfileOptions profile_options;
    profile_options.n_threads = n_threads;
    tools.kept = kv_profile_of(model, profile_options, false, progress);
    SessionOptions session_options;
    session_options.n_ctx = 2;
    session_options.n_threads = n_threads;
    session_options.mapped = true;
    tools.session.emplace(model, session_options);
    tools.state = read_kv_state(bytes, arguments.file);
    if (progress) progress("kv pack: read on from the cache", 0, 1);
    tools.continuation.emplace(*tools.session, *tools.state, bytes, arguments.file, n_threads);
    tools.wish.profile = &tools.kept.profile;
    if (arguments.with_profile) tools.wish.profile_bytes = tools.kept.bytes;
    tools.wish.kl_divergence = arguments.kl;
    tools.wish.ratio = arguments.ratio;
    tools.wish.measure = [&](std::span<const uint8_t> state) { return tools.continuation->compare(state); };
}

/// A state to pack, and what an .ekv that held it said of it.
struct Input {
    std::string unpacked;
    std::span<const uint8_t> bytes;
    std::string conversation, model_name, model_sha256;
};

Input input_of(const Arguments& arguments, std::span<const uint8_t> file) {
    Input input;
    input.bytes = file;
    if (!arguments.raw.empty() || !is_ekv(file)) return input;
    const std::string name = printable(arguments.file);
    const Ekv ekv = read_ekv(file, name);
    if (ekv.content != EkvContent::state)
        throw UsageError(fmt::format("{}: rows of numbers, packed already; wanted a state of llama.cpp", name));
    if (ekv.loss)
        throw UsageError(fmt::format("{}: packed with loss already; to pack it once more would lose more", name));
    KvUnpackOptions options;
    options.n_threads = arguments.n_threads;
    unpack(file, ekv, name, options,
           [&](std::span<const uint8_t> piece) { input.unpacked.append(piece.begin(), piece.end()); });
    input.bytes = bytes_of(input.unpacked);
    input.conversation = ekv.conversation;
    input.model_name = ekv.model_name;
    input.model_sha256 = ekv.model_sha256;
    return input;
}

Ekv pack(const Arguments& arguments, const Input& input, const std::string& out) {
    const std::span<const uint8_t> bytes = input.bytes;
    const Unchanged unchanged(arguments.file);
    ProgressLine progress;
    KvPackOptions options;
    options.before_naming = [&] { unchanged.check(); };
    options.check = !arguments.no_check;
    options.n_threads = arguments.n_threads;
    options.progress = progress.callback();
    options.conversation = input.conversation;
    options.model_name = input.model_name;
    options.model_sha256 = input.model_sha256;
    if (!arguments.raw.empty()) {
        const auto [type, n_columns] = raw_form(arguments.raw);
        return pack_plain_rows(bytes, type, n_columns, out, options);
    }
    Instruments tools;
    if (!arguments.model.empty()) {
        const Model model = read_model(arguments.model);
        check_kv_state(read_kv_state(bytes, arguments.file), model, arguments.file);
        options.model_name = model.name.empty() ? model.files.front().filename().string() : model.name;
        options.model_sha256 = cached_sha256_of_file(model.files.front(), options.progress);
        if (!input.model_sha256.empty() && input.model_sha256 != options.model_sha256)
            throw UsageError(fmt::format("{}: of {}, not of {}", printable(arguments.file), printable(input.model_name),
                                         printable(options.model_name)));
        if (arguments.lossy()) {
            prepare_loss(arguments, model, bytes, options.progress, tools);
            options.loss = &tools.wish;
        }
    }
    return pack_state(bytes, arguments.file, out, options);
}

int kv_pack(const Arguments& arguments) {
    check(arguments);
    const auto begin = std::chrono::steady_clock::now();
    const MappedFile file(arguments.file);
    KvConversion done{arguments.file, output_of(arguments), {}};
    const Input input = input_of(arguments, file.bytes());
    done.ekv = pack(arguments, input, done.output);
    if (arguments.raw.empty()) done.n_tokens = read_kv_state(input.bytes, arguments.file).n_cells();
    done.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    print(arguments.json ? json_text(kv_pack_json(done)) : kv_pack_text(done));
    return exit_yes;
}

}  // namespace

void add_kv_pack(CommandLine& line, CLI::App* kv) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, kv, "pack", "a state of llama.cpp (session, sequence, slot), or a talk of chat's, as a small .ekv",
        "  ech0 kv pack session.bin                                    without loss, to session.bin.ekv\n"
        "  ech0 kv pack talk.ekv -o small.ekv                          a talk that chat's /save wrote, a fifth "
        "smaller\n"
        "  ech0 kv pack slot.bin --model model.gguf --kl 0.01          as small as that divergence allows\n"
        "  ech0 kv pack slot.bin --model model.gguf --ratio 8          an eighth, and what that costs",
        [arguments] { return kv_pack(*arguments); });
    command->add_option("STATE", arguments->file, "what llama.cpp or chat saved")->required();
    command->add_option("-o,--output", arguments->out, "file to write (default: STATE.ekv)")->type_name("FILE");
    command->add_option("--model", arguments->model, "the model it is of: checked, noted, and needed for a loss")
        ->type_name("MODEL");
    CLI::Option* const kl = command
                                ->add_option("--kl", arguments->kl,
                                             "with loss: at most this KL divergence of what is read on, nats per token")
                                ->type_name("NATS")
                                ->check(CLI::PositiveNumber);
    command->add_option("--ratio", arguments->ratio, "with loss: at most 1/R of the bytes")
        ->type_name("R")
        ->check(CLI::Range(1.0, 10000.0))
        ->excludes(kl);
    command->add_flag("--with-profile", arguments->with_profile,
                      "carry the model's KV profile along, so that any machine can unpack it");
    command->add_option("--raw", arguments->raw, "no state but rows of numbers, like f32:1000")
        ->type_name("TYPE:COLUMNS");
    command->add_flag("--no-check", arguments->no_check, "don't unpack each block again to compare: twice as fast");
    add_threads(command, arguments->n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
