#include "plan/quality.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace ech0;

TEST_CASE("what was published of a preset is given as it was published, with its source") {
    const QualityCurve curve;
    const Quality q = quality_of_preset(curve, "qwen2.5:32b", 32763876352, "Q4_K_M", 4.83);
    CHECK(q.grade == Grade::published);
    CHECK(std::round(q.perplexity * 100) == 562);
    CHECK(q.source.starts_with("https://"));
    CHECK(std::round(quality_of_preset(curve, "qwen2.5:32b", 32763876352, "Q3_K_M", 3.9).perplexity * 100) == 580);
    CHECK(std::round(quality_of_preset(curve, "qwen2.5:14b", 14770033664, "Q4_K_M", 4.83).perplexity * 100) == 613);
}

TEST_CASE("the curve falls with every bit, and is wider for a model that nobody measured") {
    const QualityCurve curve;
    double before = 1e9;
    for (const double bits : {2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0}) {
        const Quality q = curve.predict("nobody:8b", 8000000000, bits, TypeClass::k_quant);
        CHECK(q.grade == Grade::predicted);
        CHECK(q.kl_divergence < before);
        CHECK(q.low < q.kl_divergence);
        CHECK(q.high > q.kl_divergence);
        before = q.kl_divergence;
    }
    CHECK(curve.high_factor() / curve.low_factor() > curve.high_factor_anchored() / curve.low_factor_anchored());
    CHECK(curve.high_factor_anchored() < 3);
    CHECK(curve.high_factor() < 8);
}

TEST_CASE("most published figures lie inside the interval of the curve that they helped to make") {
    // The curve's own intervals are from models left out; here the anchored prediction of each preset is looked at.
    const QualityCurve curve;
    int inside = 0, all = 0;
    for (const QualityMeasure& m : quality_measures()) {
        const auto divergence = m.divergence();
        if (!divergence || *divergence < 0.002 || m.bits_per_weight <= 0 || m.bits_per_weight >= 8) continue;
        if (m.model != "qwen2.5:7b" && m.model != "llama3.3:70b" && m.model != "gemma2:9b") continue;
        const Quality q = curve.predict(m.model,
                                        m.model == "qwen2.5:7b"     ? 7615616512
                                        : m.model == "llama3.3:70b" ? 70553706496
                                                                    : 9241705984,
                                        m.bits_per_weight, class_of_preset(m.type));
        all++;
        if (*divergence >= q.low && *divergence <= q.high) inside++;
    }
    CHECK(all > 40);
    CHECK(inside >= all * 8 / 10);
}

TEST_CASE("an original that nobody measured gets the line of its family, or nothing") {
    CHECK(original_perplexity("qwen2.5:32b", "qwen2.5", 32763876352).grade == Grade::published);
    const Quality line = original_perplexity("qwen2.5:72b", "qwen2.5", 72706203648);
    CHECK(line.grade == Grade::predicted);
    CHECK(line.perplexity > 3);
    CHECK(line.perplexity < 5.6);
    CHECK(original_perplexity("nobody:8b", "nobody", 8000000000).perplexity == 0);
}
