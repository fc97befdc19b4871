#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// What the inputs of one linear map looked like on the calibration text.
struct Importance {
    std::string tensor;             ///< GGUF name of the weight that reads these inputs
    int64_t n_cols = 0;             ///< row length of the weight
    int64_t n_mat = 1;              ///< matrices in the tensor: 1, or n_expert
    std::vector<float> sum_square;  ///< [n_mat, n_cols] sum over tokens of x_j^2
    std::vector<float> count;       ///< [n_mat] tokens seen

    /// Mean square of input j of matrix m; 1 where no token came by (an expert that was never chosen).
    float mean_square(int64_t m, int64_t j) const {
        return count[m] > 0 ? sum_square[m * n_cols + j] / count[m] : 1.0F;
    }
};

struct Calibration {
    std::string source_sha256;  ///< of the model whose activations these are
    std::string text_sha256;
    std::string text_name;  ///< "embedded", or the file names
    int64_t n_tokens = 0;
    int64_t n_ctx = 0;                ///< tokens per chunk
    std::vector<Importance> tensors;  ///< in file order of the model

    const Importance* find(std::string_view tensor) const;
};

/// llama.cpp's importance matrix, GGUF form (general.type = "imatrix"; `<tensor>.in_sum2`, `<tensor>.counts`), with
/// our own keys beside its own, so that `llama-quantize --imatrix` reads the same file.
/// @throws FileError
void write_imatrix(const Calibration& calibration, const std::filesystem::path& file);

/// Read one back, ours or llama-imatrix's, GGUF or the old `.dat` form.
/// @throws FormatError, FileError
Calibration read_imatrix(const std::filesystem::path& file);

}  // namespace ech0
