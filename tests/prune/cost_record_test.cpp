#include "prune/cost_record.h"

#include <doctest/doctest.h>

namespace ech0 {

TEST_CASE("what removals cost is the same after it was written down and read") {
    const CutCosts costs{{{3, UnitKind::channels, 192, 0.1, {{{1, 4}, 1.0 / 3}, {{0}, 1e-9}}, 2, 1},
                          {4, UnitKind::kv_heads, 7, 1e-3, {{{2}, 0.5}}, 1, 1}},
                         {{4, 0.7}},
                         256};
    const std::optional<CutCosts> read = costs_of_record(cost_record(costs));
    REQUIRE(read);
    REQUIRE(read->curves.size() == 2);
    for (size_t i = 0; i < 2; i++) {
        const CutCurve &a = costs.curves[i], &b = read->curves[i];
        CHECK(a.layer == b.layer);
        CHECK(a.kind == b.kind);
        CHECK(a.params_per_unit == b.params_per_unit);
        CHECK(a.gain == b.gain);
        CHECK(a.most_steps == b.most_steps);
        CHECK(a.n_probed == b.n_probed);
        REQUIRE(a.steps.size() == b.steps.size());
        for (size_t j = 0; j < a.steps.size(); j++) {
            CHECK(a.steps[j].units == b.steps[j].units);
            CHECK(a.steps[j].error == b.steps[j].error);
        }
    }
    REQUIRE(read->layers.size() == 1);
    CHECK(read->layers[0].layer == 4);
    CHECK(read->layers[0].kl == 0.7);
    CHECK(read->n_tokens == 256);
}

TEST_CASE("a record that is cut off or something else is no record") {
    const std::string text = cost_record({{{0, UnitKind::channels, 1, 1, {{{0}, 1}}, 1}}, {{0, 1}}});
    for (size_t n = 0; n < text.size(); n++) CHECK_FALSE(costs_of_record(text.substr(0, n)));
    CHECK_FALSE(costs_of_record("[1, 2]"));
    CHECK_FALSE(costs_of_record(R"({"curves": [[1]], "layers": []})"));
}

}  // namespace ech0
