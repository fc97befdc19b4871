#include "calibrate/text.h"

#include "base/file.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "embedded/calibration_text.h"

namespace ech0 {

CalibrationText embedded_calibration_text() {
    std::string text(embedded::calibration_text());
    std::string hash = sha256(text);
    return {std::move(text), "embedded", std::move(hash)};
}

CalibrationText read_calibration_text(std::span<const std::filesystem::path> files) {
    CalibrationText all;
    for (const auto& file : files) {
        if (!all.text.empty()) all.text += "\n\n";
        all.text += read_file(file);
        all.name += (all.name.empty() ? "" : ", ") + file.filename().string();
    }
    if (all.text.empty()) throw UsageError("the calibration text is empty");
    all.sha256 = sha256(all.text);
    return all;
}

}  // namespace ech0
