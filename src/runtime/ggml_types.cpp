#include "runtime/ggml_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "ech0/error.h"

namespace ech0 {

ggml_type type_by_name(std::string_view name) {
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    std::string known;
    for (int t = 0; t < GGML_TYPE_COUNT; t++) {
        const auto type = static_cast<ggml_type>(t);
        if (ggml_blck_size(type) == 0) continue;  // a number whose type was removed from ggml
        const std::string_view label = ggml_type_name(type);
        if (std::equal(name.begin(), name.end(), label.begin(), label.end(), same)) return type;
        known += fmt::format(" {}", label);
    }
    throw UsageError(fmt::format("no such type: {}; there are{}", name, known));
}

std::string type_label(ggml_type type) {
    std::string label = ggml_type_name(type);
    std::transform(label.begin(), label.end(), label.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return label;
}

bool row_fits(ggml_type type, int64_t n_cols) { return n_cols % ggml_blck_size(type) == 0; }

double type_bits(ggml_type type) {
    return 8.0 * static_cast<double>(ggml_type_size(type)) / static_cast<double>(ggml_blck_size(type));
}

void to_float(ggml_type type, const void* data, float* out, int64_t n_elements) {
    if (type == GGML_TYPE_F32)
        std::memcpy(out, data, static_cast<size_t>(n_elements) * sizeof(float));
    else
        ggml_get_type_traits(type)->to_float(data, out, n_elements);
}

void from_float(ggml_type type, const float* data, void* out, int64_t n_elements) {
    switch (type) {
        case GGML_TYPE_F32: std::memcpy(out, data, static_cast<size_t>(n_elements) * sizeof(float)); break;
        case GGML_TYPE_F16: ggml_fp32_to_fp16_row(data, static_cast<ggml_fp16_t*>(out), n_elements); break;
        case GGML_TYPE_BF16: ggml_fp32_to_bf16_row(data, static_cast<ggml_bf16_t*>(out), n_elements); break;
        default: throw UsageError(fmt::format("from_float: {} needs a quantizer", ggml_type_name(type)));
    }
}

}  // namespace ech0
