#include "calibrate/calibrate.h"

#include "base/sha256.h"
#include "calibrate/chunks.h"
#include "calibrate/gather.h"
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
    calibration.source_sha256 = cached_sha256_of_file(model.files.front());
    calibration.text_sha256 = text.sha256;
    calibration.text_name = text.name;
    return calibration;
}

}  // namespace ech0
