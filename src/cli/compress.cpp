#include "compress/compress.h"

#include <algorithm>
#include <memory>

#include "cli/calibration_options.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "ech0/error.h"
#include "optimize/weigh.h"
#include "report/compress.h"
#include "report/verify.h"
#include "report/weigh.h"
#include "verify/verify.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    CalibrationArguments text;
    std::string imatrix, moments;
    CompressOptions options;
    std::string sibling;
    bool no_proof = false, allow_prune = false, json = false;
};

// Chunks of the evaluation text that the closing proof takes; `ech0 verify` takes them all.
constexpr int64_t proof_chunks = 16;

CompressOptions options_of(const Model& model, const Arguments& arguments, const Progress& progress) {
    CompressOptions options = arguments.options;
    if ((options.budget_bytes > 0) + (options.bits_per_weight > 0) + !options.type.empty() != 1)
        throw UsageError("give one of --size, --bpw and --type: how large may the file be?");
    options.text = calibration_text(model, arguments.text, options.n_threads, progress);
    if (!arguments.imatrix.empty()) options.imatrix = arguments.imatrix;
    if (!arguments.moments.empty()) options.moments = arguments.moments;
    return options;
}

Evidence prove(const Model& original, const Artifact& artifact, const CalibrationText& text, const Arguments& arguments,
               const Progress& progress) {
    VerifyOptions options;
    options.calibration = text;
    options.n_chunks = proof_chunks;
    if (original.n_ctx_train > 0) options.n_ctx = std::min(options.n_ctx, original.n_ctx_train);
    options.n_threads = arguments.options.n_threads;
    options.quick = true;
    options.command = "ech0 compress " + arguments.model;
    const std::vector<Model> candidate = {read_model(artifact.path)};
    return verify(original, candidate, options, progress);
}

/// Bits or structure: several ways to the same bytes, made and measured.
int compress_or_prune(const Model& model, const CompressOptions& options, const Arguments& arguments,
                      const Progress& progress) {
    WeighOptions weighing;
    weighing.compress = options;
    if (!arguments.sibling.empty()) weighing.sibling = arguments.sibling;
    weighing.command = "ech0 compress " + arguments.model + " --allow-prune";
    const Weighing result = weigh(model, weighing, progress);
    Json json = compress_json(result.chosen().artifact);
    json["source"] = {{"path", model.files.front().string()}, {"sha256", result.evidence.original.sha256}};
    json["ways"] = ways_json(result);
    json["verdict"] = verdict(result);
    json["evidence"] = verify_json(result.evidence);
    print(arguments.json ? json_text(json) : compress_text(result.chosen().artifact) + "\n" + ways_text(result));
    return exit_yes;
}

int compress(const Arguments& arguments) {
    const Model model = read_model(arguments.model);
    ProgressLine progress;
    const CompressOptions options = options_of(model, arguments, progress.callback());
    if (arguments.allow_prune) return compress_or_prune(model, options, arguments, progress.callback());
    const Artifact artifact = compress(model, options, progress.callback());
    Json json = compress_json(artifact);
    std::string text = compress_text(artifact);
    if (!arguments.no_proof) {
        const Evidence evidence = prove(model, artifact, options.text, arguments, progress.callback());
        json["evidence"] = verify_json(evidence);
        text += "\n" + verify_text(evidence);
    }
    print(arguments.json ? json_text(json) : text);
    return exit_yes;
}

}  // namespace

void add_compress(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "compress", "make a model file of an exact size, as close to the original as that size allows",
        "  ech0 compress model-f16.gguf --size 4.5GB -o model-4.5GB.gguf\n"
        "  ech0 compress model-f16.gguf --bpw 3.5 -o small.gguf --effort 5\n"
        "  ech0 compress model-f16.gguf --type Q4_K -o model-q4_k.gguf\n"
        "  ech0 compress model-f16.gguf --size 4GiB -o small.gguf --calibration my-mail.txt notes.md\n"
        "  ech0 compress model-f16.gguf --size 4GiB -o small.gguf --allow-prune     bits or structure, by measurement",
        [arguments] { return compress(*arguments); });
    CompressOptions& options = arguments->options;
    add_model(command, arguments->model);
    add_size(command, "--size", options.budget_bytes, "size of the whole file, never exceeded: 4.5GB, 4GiB");
    add_bits(command, "--bpw", options.bits_per_weight, "or bits per weight of its tensors: 3.5");
    command->add_option("--type", options.type, "or one type for every matrix, as llama-quantize --pure: Q4_K, IQ3_S");
    command->add_option("-o,--output", options.out, "the file to write")->required();
    add_calibration(command, arguments->text);
    command->add_option("--imatrix", arguments->imatrix,
                        "plan by this file of llama-imatrix or ech0 calibrate: importance of columns only, so no error "
                        "feedback in the plan");
    command->add_option("--moments", arguments->moments, "plan by the folder that ech0 calibrate --moments has filled")
        ->excludes("--imatrix");
    command
        ->add_option("--effort", options.effort,
                     "1 (quick) to 5 (all night): how much text is looked at, how many plans are tried")
        ->capture_default_str();
    command->add_option("--ctx", options.n_ctx, "tokens per piece of text")->capture_default_str();
    command->add_flag("--fresh", options.fresh, "start over instead of resuming a run that was stopped");
    command->add_flag("--keep-work", options.keep_work, "leave the folder of intermediate results (OUTPUT.ech0-work)");
    command->add_flag("--no-proof", arguments->no_proof, "do not compare the result with the original at the end");
    CLI::Option* const allow_prune = command->add_flag(
        "--allow-prune", arguments->allow_prune,
        "also try to prune before compressing to the same size, and keep what is closest to the original");
    command->add_option("--sibling", arguments->sibling, "a smaller model to judge beside, in bits per byte of text")
        ->needs(allow_prune)
        ->type_name("MODEL");
    add_memory(command, options.memory_bytes);
    add_threads(command, options.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
