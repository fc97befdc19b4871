#include "optimize/optimize.h"

#include <chrono>

#include "ech0/error.h"

namespace ech0 {

void check(const OptimizeOptions& options) {
    const int n_given =
        (options.compress.budget_bytes > 0) + (options.compress.bits_per_weight > 0) + (options.ratio > 0);
    if (n_given != 1) throw UsageError("give one of --size, --bpw and --ratio: how large may the file be?");
}

Optimization optimize(const Model& model, const OptimizeOptions& options, const Progress& progress) {
    check(options);
    check(model, options.verify);  // before hours of compressing
    const auto began = std::chrono::steady_clock::now();
    CompressOptions compressing = options.compress;
    if (options.ratio > 0)
        compressing.budget_bytes = static_cast<int64_t>(options.ratio * static_cast<double>(model.size_bytes));

    Optimization result;
    result.model = model;
    result.command = options.command;
    result.artifact = compress(model, compressing, progress);

    // What is judged is the file on the disk, read as a stranger would read it.
    const Model made = read_model(result.artifact.path);
    VerifyOptions verifying = options.verify;
    verifying.calibration = compressing.text;
    verifying.command = options.command;
    result.evidence = verify(model, {&made, 1}, verifying, progress);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return result;
}

}  // namespace ech0
