#include "prune/choose.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

namespace ech0 {
namespace {

Model two_layers() {
    Model model;
    model.n_layer = 2;
    model.n_head = model.n_head_kv = {4, 4};
    model.n_ff = {4, 4};
    return model;
}

/// One unit a step, these errors.
CutCurve curve(int64_t layer, UnitKind kind, int64_t params, double gain, const std::vector<double>& errors) {
    CutCurve c{layer, kind, params, gain, {}, static_cast<int64_t>(errors.size())};
    for (size_t i = 0; i < errors.size(); i++) c.steps.push_back({{static_cast<int32_t>(i)}, errors[i]});
    return c;
}

}  // namespace

TEST_CASE("what costs least per weight goes first, until enough is gone") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 1, {0.1, 0.3, 0.9}),
                                          curve(1, UnitKind::channels, 10, 1, {0.0, 0.4, 0.8}),
                                          curve(1, UnitKind::kv_heads, 20, 1, {0.3, 0.9})};
    const Choice choice = choose_units(two_layers(), curves, 40);
    // 0.0 for 10, 0.1 for 10, then 0.3 for 20: 0.015 a weight.
    CHECK(choice.removed_params == 40);
    CHECK(choice.structure.layers[0].channels == std::vector<int32_t>{1, 2, 3});
    CHECK(choice.structure.layers[1].channels == std::vector<int32_t>{1, 2, 3});
    CHECK(choice.structure.layers[1].kv_heads == std::vector<int32_t>{1, 2, 3});
    CHECK(choice.predicted_kl == doctest::Approx(0.4));
}

TEST_CASE("a dear step in front of cheap ones is seen through") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 1, {0.3, 0.31, 0.32}),
                                          curve(1, UnitKind::channels, 10, 1, {0.2, 0.4, 0.6})};
    const Choice choice = choose_units(two_layers(), curves, 30);
    CHECK(choice.structure.layers[0].channels == std::vector<int32_t>{3});
    CHECK(choice.predicted_kl == doctest::Approx(0.32));
}

TEST_CASE("gains decide between layers of equal local error") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 5, {0.1, 0.2}),
                                          curve(1, UnitKind::channels, 10, 1, {0.1, 0.2})};
    CHECK(choose_units(two_layers(), curves, 20).structure.layers[1].channels.size() == 2);
}

TEST_CASE("no more than may go, and asking for more is refused") {
    std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 1, {0.1, 0.2, 0.3})};
    curves[0].most_steps = 2;
    CHECK(choose_units(two_layers(), curves, 20).removed_params == 20);
    CHECK_THROWS_AS(choose_units(two_layers(), curves, 21), UsageError);
}

}  // namespace ech0
