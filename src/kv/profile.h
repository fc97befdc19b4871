#pragma once

// What the lossy codec knows of a model, learnt once from calibration text (profile_calibration.h): for each head's K
// and V of each layer
//   - how it follows from what is decoded already: layers share one residual stream, so K and V of the two layers
//     before, K of the layer itself and the heads before foretell most of it,
//   - a transform in which an error of a given length costs the same anywhere: keys are measured by the queries that
//     will meet them, values by what the output matrix makes of them, layers by the KL divergence that noise in them
//     really caused; its axes are those of the residual's covariance there (Karhunen-Loève),
//   - how far each coefficient spreads, and the statistics of its bits,
//   - some queries, to foresee how much attention a token will get.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "kv/coefficients.h"
#include "kv/rope.h"

namespace ech0 {

constexpr int64_t n_layers_before = 2;     ///< that a layer is predicted from
constexpr int16_t no_weights = INT16_MIN;  ///< KvBlock::log_weight of a feature that says nothing: a dead head's

/// K or V of one head in one layer: x = (1, features) * predict + coefficients * inverse.
struct KvBlock {
    int64_t d = 0;
    bool dead = false;                ///< always 0: a head that was cut away; nothing is coded
    std::vector<float> inverse;       ///< [d, d] coefficients to residual, rows to rows; halves (round_halves)
    std::vector<int16_t> log_weight;  ///< [1 + n_features] 16 log2 of what a weight of 1 in this row is
    std::vector<int32_t> weights;     ///< [1 + n_features, d] coefficients that each feature foretells
    std::vector<int16_t> log_spread;  ///< [d] 16 log2 of the coefficients' spread

    // Derived of these (derive_matrices), kept in no file:
    std::vector<float> predict;  ///< [1 + n_features, d] weights * inverse; the first row is the constant
    std::vector<float> forward;  ///< [d, d] residual to coefficients
};

struct KvLayerProfile {
    int64_t n_head = 0, n_head_kv = 0;
    std::vector<KvBlock> k, v;           ///< [n_head_kv]
    std::vector<float> usual_attention;  ///< [n_head_kv] mean squared attention per token in calibration
    std::vector<float> queries;          ///< [n_head, n_queries, d_k] before they are turned by position
    std::vector<int16_t> log_query;  ///< [n_head] 16 log2 of the step that queries are whole numbers of, -127 to 127
    CoefficientModel model;
};

struct KvProfile {
    std::string model_sha256, model_name, text_sha256;
    int64_t n_tokens = 0, n_ctx = 0;  ///< of calibration
    int64_t d_k = 0, d_v = 0, n_queries = 0;
    int32_t step = 0;  ///< 16 log2 of the step that predictors and statistics were made for
    Rope rope;
    std::vector<KvLayerProfile> layers;

    /// Does the width of layers forbid predicting from all heads? Then from those of the same index.
    bool wide() const;
};

/// Features that block `head` of K (V) of a layer is predicted from, without the constant.
int64_t n_features(const KvProfile& profile, int64_t layer, bool is_value, int64_t head);

/// As a file keeps it: halves of the largest.
void round_halves(std::vector<float>& matrix);

/// @return is there a `forward`, are all numbers finite?
bool derive_matrices(KvBlock& block);

std::string serialized(const KvProfile& profile);
/// @throws FormatError naming what is wrong; a damaged file is never half read
KvProfile parse_kv_profile(std::string_view bytes, std::string_view name);

}  // namespace ech0
