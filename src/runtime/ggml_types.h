#pragma once

#include <ggml.h>

#include <string>
#include <string_view>

namespace ech0 {

/// A ggml type from a person's spelling: "q4_K", "Q4_K", "iq3_s".
/// @throws UsageError listing what there is
ggml_type type_by_name(std::string_view name);

/// The name people use in file names and papers: "Q4_K", "IQ3_S", "F16".
std::string type_label(ggml_type type);

/// Does a row of n_cols weights divide into this type's blocks?
bool row_fits(ggml_type type, int64_t n_cols);

/// Bits per weight of a type, from its block.
double type_bits(ggml_type type);

/// `n_elements` values of `type` to float32. n_elements is a multiple of the block.
void to_float(ggml_type type, const void* data, float* out, int64_t n_elements);

/// float32 to `type` for the types that need no search (F32, F16, BF16).
void from_float(ggml_type type, const float* data, void* out, int64_t n_elements);

}  // namespace ech0
