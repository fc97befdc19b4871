#include "calibrate/calibrate.h"

#include "calibrate/chunks.h"
#include "calibrate/gather.h"
#include "calibrate/moments.h"
#include "ech0/error.h"
#include "model/model_hash.h"
#include "runtime/engine.h"
#include "runtime/source.h"

namespace ech0 {

Calibration calibrate(const Model& model, const CalibrationText& text, const CalibrateOptions& options,
                      const Progress& progress) {
    const Source source(model);
    CalibrationChunks chunks = cut_into_chunks(model, text.text, options.n_ctx);
    // Who calibrates for later has no plans to compare yet: all chunks count.
    chunks.statistics.insert(chunks.statistics.end(), chunks.selection.begin(), chunks.selection.end());
    Calibration calibration =
        gather_importance(model, source.as_stored(), chunks.statistics, options.n_ctx, options.n_threads, progress);
    calibration.source_sha256 = sha256_of_model(model);
    calibration.text_sha256 = text.sha256;
    calibration.text_name = text.name;
    return calibration;
}

Calibration calibrate_moments(const Model& model, const CalibrationText& text, const CalibrateOptions& options,
                              const std::filesystem::path& folder, const Progress& progress) {
    const Source source(model);
    const CalibrationChunks all = cut_into_chunks(model, text.text, options.n_ctx);
    const auto n_all = static_cast<int64_t>(all.statistics.size());
    const Chunks chunks = spread_chunks(
        all.statistics, options.n_tokens > 0 ? std::max<int64_t>(1, options.n_tokens / options.n_ctx) : n_all);
    const std::string source_sha256 = sha256_of_model(model, progress);
    MomentStore store(folder);
    const int64_t n_tokens = static_cast<int64_t>(chunks.size()) * options.n_ctx;
    if (store.of() && (store.of()->source_sha256 != source_sha256 || store.of()->text_sha256 != text.sha256 ||
                       store.of()->n_tokens != n_tokens || store.of()->n_ctx != options.n_ctx))
        throw UsageError(
            folder.string() +
            ": has the moments of another model or text, or of other --tokens or --ctx; name another folder");
    const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
    Calibration calibration = gather_moments(model, source.as_f16(), chunks, options.n_ctx, n_threads, store, progress);
    calibration.source_sha256 = source_sha256;
    calibration.text_sha256 = text.sha256;
    calibration.text_name = text.name;
    store.complete(calibration);
    return calibration;
}

}  // namespace ech0
