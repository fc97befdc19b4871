#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ech0 {

/// The type that one tensor gets, and what that is expected to cost.
struct Assignment {
    std::string tensor;
    int32_t type = 0;  ///< ggml_type
    std::string type_name;
    int64_t size_bytes = 0;
    double error = 0;         ///< expected |dW x|^2 / |W x|^2 on the calibration text
    double predicted_kl = 0;  ///< its share of the file's KL divergence, nats per token
};

/// A measured step of the search, kept for the report: what was tried, and whether it stayed.
struct Trial {
    std::string lever;
    bool kept = false;
    double kl_divergence = 0;  ///< on the selection text
};

/// Which type every tensor gets under an exact byte budget. From here on the plan decides alone.
struct Plan {
    int64_t budget_bytes = 0;
    int64_t file_bytes = 0;           ///< exact size of the file that this plan writes
    double predicted_kl = 0;          ///< by the calibrated proxy
    double measured_kl = 0;           ///< end to end, on the selection text
    std::vector<Assignment> tensors;  ///< in file order of the source
    std::vector<Trial> tried;
};

}  // namespace ech0
