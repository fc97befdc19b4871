#include "plan/candidates.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

Tensor matrix(const std::string& name, int64_t n_cols, ggml_type type) {
    Tensor t;
    t.name = name;
    t.type = type;
    t.shape = {n_cols, 64};
    t.n_elements = n_cols * 64;
    return t;
}

bool has(const std::vector<ggml_type>& types, ggml_type type) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

}  // namespace

TEST_CASE("rows of 576 have no k-quants, rows of 768 have all") {
    const auto narrow = candidate_types(matrix("blk.0.ffn_up.weight", 576, GGML_TYPE_F16), 0, 32);
    CHECK(has(narrow, GGML_TYPE_Q4_0));
    CHECK(has(narrow, GGML_TYPE_IQ4_NL));
    CHECK_FALSE(has(narrow, GGML_TYPE_Q4_K));
    CHECK_FALSE(has(narrow, GGML_TYPE_IQ2_XXS));
    CHECK(has(narrow, GGML_TYPE_Q2_0));  // the only one below 4 bits that such rows can have
    const auto wide = candidate_types(matrix("blk.0.ffn_up.weight", 768, GGML_TYPE_F16), 0, 32);
    for (const ggml_type type : {GGML_TYPE_Q2_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ1_S, GGML_TYPE_IQ3_S, GGML_TYPE_Q8_0})
        CHECK(has(wide, type));
    CHECK_FALSE(has(wide, GGML_TYPE_Q2_0));  // too young to be needed where others fit
}

TEST_CASE("a tensor never grows, and may always stay as it is") {
    const auto types = candidate_types(matrix("blk.0.ffn_up.weight", 768, GGML_TYPE_Q4_K), 0, 32);
    CHECK(types.back() == GGML_TYPE_Q4_K);
    for (const ggml_type type : types) CHECK(type_bits(type) <= type_bits(GGML_TYPE_Q4_K));
}

TEST_CASE("candidates are ordered by size and within the asked bits") {
    const auto types = candidate_types(matrix("blk.0.ffn_up.weight", 768, GGML_TYPE_F16), 3, 6);
    CHECK(std::is_sorted(types.begin(), types.end(),
                         [](ggml_type a, ggml_type b) { return type_bits(a) < type_bits(b); }));
    for (const ggml_type type : types) CHECK((type == GGML_TYPE_F16 || (type_bits(type) >= 3 && type_bits(type) <= 6)));
}

TEST_CASE("every candidate is a type that the engine can really write and read") {
    std::vector<float> row(256, 0.25F), ones(256, 1.0F), back(256);
    for (const ggml_type type : candidate_types(matrix("blk.0.ffn_up.weight", 256, GGML_TYPE_F32), 0, 32)) {
        CAPTURE(type_label(type));
        std::vector<char> blocks(ggml_row_size(type, 256));
        CHECK(ggml_quantize_chunk(type, row.data(), blocks.data(), 0, 1, 256, ones.data()) == blocks.size());
        to_float(type, blocks.data(), back.data(), 256);
        CHECK(back[100] == doctest::Approx(0.25).epsilon(0.3));
    }
}

TEST_CASE("norms, biases and routers are left alone") {
    CHECK(is_compressible(matrix("blk.0.attn_q.weight", 256, GGML_TYPE_F16)));
    CHECK(is_compressible(matrix("token_embd.weight", 256, GGML_TYPE_F16)));
    CHECK_FALSE(is_compressible(matrix("blk.0.ffn_gate_inp.weight", 256, GGML_TYPE_F32)));
    CHECK_FALSE(is_compressible(matrix("blk.0.attn_q.bias", 256, GGML_TYPE_F32)));
    Tensor norm = matrix("blk.0.attn_norm.weight", 256, GGML_TYPE_F32);
    norm.shape = {256};
    norm.n_elements = 256;
    CHECK_FALSE(is_compressible(norm));
}

}  // namespace ech0
