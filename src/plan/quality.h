#pragma once

// What a file will be worth before it exists. Three kinds of knowledge, never mixed: measured (this file's own
// evidence), published (somebody measured this preset of this model: share/quality), predicted (a curve through all
// that was published, with the error that it makes on models it has not seen). docs/quality.md tells where the form of
// the curve comes from; its coefficients are fitted here, from the data, each time.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/machine.h"

namespace ech0 {

/// A published figure of one quantized model.
struct QualityMeasure {
    std::string family, model, type;
    double bits_per_weight = 0;  ///< 0 = not said
    double perplexity = 0;       ///< 0 = not said, as all below
    double perplexity_original = 0;
    double kl_divergence = 0;
    bool imatrix = false;
    std::string text, source;

    /// KL divergence in nats per token, or what stands in for it: ln(perplexity / original). Nothing if neither is
    /// known.
    std::optional<double> divergence() const;
};

/// @throws FormatError naming file and key
const std::vector<QualityMeasure>& quality_measures();

/// A divergence from the original, KL in nats per token, with what is known of its error.
struct Quality {
    double kl_divergence = 0, low = 0, high = 0;  ///< 90 % interval; of a published figure that of its rounding alone
    double perplexity = 0, perplexity_original = 0;  ///< 0 = not known
    Grade grade = Grade::predicted;
    std::string source;  ///< who measured, or how it was predicted
};

/// Which kind of types a file is made of: at equal bits they are worth differently.
enum class TypeClass { codebook, k_quant, plain };
TypeClass class_of_preset(std::string_view preset);

/// The curve for one model and kind of types: ln KL is a straight line over the bits per weight, up to 8 bits, where
/// the published figures end.
struct QualityLine {
    double ln_kl_at_4_bits = 0, ln_kl_per_bit = 0;
    double low_factor = 0, high_factor = 0;  ///< what 90 % of its errors lie between, as shares of the value
    std::string source;

    Quality at(double bits_per_weight) const;
};

/// The curve through the published figures.
class QualityCurve {
public:
    /// Fit to all measures.
    QualityCurve();

    /// @param model  name as blueprints have it, so that its own published figures can anchor the curve; may be unknown
    /// @param n_params  of the model, > 0
    QualityLine line(std::string_view model, int64_t n_params, TypeClass kind) const;
    /// A point of that line.
    Quality predict(std::string_view model, int64_t n_params, double bits_per_weight, TypeClass kind) const;

    /// 90 % of the curve's errors on models that it was not fitted to lie between these factors; the second pair: when
    /// other presets of the model are published.
    double low_factor() const { return low_; }
    double high_factor() const { return high_; }
    double low_factor_anchored() const { return low_anchored_; }
    double high_factor_anchored() const { return high_anchored_; }

private:
    std::vector<double> slopes_;                  // of the features, common to all models
    double level_ = 0, level_per_ln_params_ = 0;  // of a model that nobody measured
    double variance_within_ = 0, variance_between_ = 0;
    double low_ = 0, high_ = 0, low_anchored_ = 0, high_anchored_ = 0;
};

/// What is published of this preset of this model, the median if several did; else what the curve says.
Quality quality_of_preset(const QualityCurve& curve, std::string_view model, int64_t n_params, std::string_view preset,
                          double bits_per_weight);

/// The original's own perplexity on WikiText-2, published, or predicted from published ones of its family and size.
Quality original_perplexity(std::string_view model, std::string_view family, int64_t n_params);

/// The part of ln(perplexity) that follows from size: the common slope over ln(N) of all families with two published
/// sizes or more, times ln(N). Only differences of it mean something.
double ln_perplexity_by_size(int64_t n_params);

}  // namespace ech0
