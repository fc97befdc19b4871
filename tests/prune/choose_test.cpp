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
    const Choice choice = choose_units(two_layers(), {curves, {}}, {{0, 40}, {}, {}, {}});
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
    const Choice choice = choose_units(two_layers(), {curves, {}}, {{0, 30}, {}, {}, {}});
    CHECK(choice.structure.layers[0].channels == std::vector<int32_t>{3});
    CHECK(choice.predicted_kl == doctest::Approx(0.32));
}

TEST_CASE("stopped on the way, a choice is the beginning of the whole one; there may be nothing in it") {
    const CutCosts costs{
        {curve(0, UnitKind::channels, 10, 1, {0.1, 0.3, 0.9}), curve(1, UnitKind::channels, 10, 1, {0.02, 0.4, 0.8})},
        {}};
    const CutGoal all{{0, 50}, {}, {}, {}}, by_kind{{}, {}, {}, {5, 0}};
    for (const CutGoal& goal : {all, by_kind}) {
        const Choice part = choose_units(two_layers(), costs, goal, 0.33);
        CHECK(part.removed_params == 30);  // 0.02, 0.1, then 0.2; not 0.38 more
        CHECK(part.predicted_kl == doctest::Approx(0.32));
        CHECK(part.structure.layers[0].channels == std::vector<int32_t>{2, 3});
        CHECK(part.structure.layers[1].channels == std::vector<int32_t>{1, 2, 3});
        CHECK(choose_units(two_layers(), costs, goal, 0.01).removed_params == 0);
    }
}

TEST_CASE("gains decide between layers of equal local error") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 5, {0.1, 0.2}),
                                          curve(1, UnitKind::channels, 10, 1, {0.1, 0.2})};
    CHECK(choose_units(two_layers(), {curves, {}}, {{0, 20}, {}, {}, {}}).structure.layers[1].channels.size() == 2);
}

TEST_CASE("no more than may go, and asking for more is refused") {
    std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 10, 1, {0.1, 0.2, 0.3})};
    curves[0].most_steps = 2;
    CHECK(choose_units(two_layers(), {curves, {}}, {{0, 20}, {}, {}, {}}).removed_params == 20);
    CHECK_THROWS_AS(choose_units(two_layers(), {curves, {}}, {{0, 21}, {}, {}, {}}), UsageError);
}

namespace {

/// Two layers of 40 weights for heads and 80 for channels.
Model two_layers_with_weights() {
    Model model = two_layers();
    for (const char* name :
         {"blk.0.attn_q.weight", "blk.1.attn_q.weight", "blk.0.ffn_up.weight", "blk.1.ffn_up.weight"}) {
        Tensor tensor;
        tensor.name = name;
        tensor.shape = {tensor.name.find("attn") != std::string::npos ? 10 : 20, 4};
        tensor.n_elements = 4 * tensor.shape[0];
        model.tensors.push_back(tensor);
    }
    return model;
}

}  // namespace

TEST_CASE("a whole layer goes when it costs less per weight than its parts, less what they have cost already") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 20, 1, {0.1, 0.4, 0.9}),
                                          curve(1, UnitKind::channels, 20, 1, {0.01, 0.5, 0.9})};
    const Model model = two_layers_with_weights();
    // The first unit of layer 1, then all of it: 0.3 - 0.01 for the 100 weights that are left.
    const Choice choice = choose_units(model, {curves, {{1, 0.3}}}, {{0, 100}, {}, {}, {}});
    REQUIRE(choice.structure.layers.size() == 1);
    CHECK(choice.structure.layers[0].layer == 0);
    CHECK(choice.removed_params == 120);
    CHECK(choice.predicted_kl == doctest::Approx(0.3));
    CHECK(choose_units(model, {curves, {}}, {{0, 100}, {}, {}, {}}).structure.layers.size() == 2);
}

TEST_CASE("kind by kind, each gets what was asked of it") {
    const std::vector<CutCurve> curves = {curve(0, UnitKind::channels, 20, 1, {0.1, 0.4, 0.9}),
                                          curve(1, UnitKind::channels, 20, 1, {0.2, 0.5, 0.9}),
                                          curve(0, UnitKind::kv_heads, 10, 1, {0.5, 0.6, 0.9})};
    const Model model = two_layers_with_weights();
    const CutCosts costs{curves, {{1, 0.3}}};
    const Choice both = choose_units(model, costs, {{}, {}, {2, 0}, {0, 30}});
    CHECK(both.structure.layers[0].kv_heads == std::vector<int32_t>{2, 3});
    CHECK(both.structure.layers[0].channels.size() + both.structure.layers[1].channels.size() == 6);
    CHECK(both.removed_params == 2 * 10 + 2 * 20);
    const Choice layer = choose_units(model, costs, {{}, {1, 0}, {}, {0, 20}});
    REQUIRE(layer.structure.layers.size() == 1);
    CHECK(layer.structure.layers[0].channels.size() == 3);  // not from the layer that is gone
}

TEST_CASE("as much goes as costs no more than allowed") {
    const CutCosts costs{
        {curve(0, UnitKind::channels, 20, 1, {0.0, 0.1, 0.4}), curve(1, UnitKind::channels, 20, 1, {0.05})}, {}};
    const Choice choice = choose_units(two_layers(), costs, {{0, 0, 0.2}, {}, {}, {}});
    CHECK(choice.removed_params == 60);
    CHECK(choice.predicted_kl == doctest::Approx(0.15));
    CHECK_THROWS_AS(choose_units(two_layers(), {{costs.curves[1]}, {}}, {{0, 0, 0.01}, {}, {}, {}}), UsageError);
}

TEST_CASE("less than the smallest step is refused, with its size") {
    const CutCosts costs{{curve(0, UnitKind::channels, 20, 1, {0.1, 0.4})}, {}};
    CHECK_THROWS_WITH_AS(choose_units(two_layers(), costs, {{0, 19}, {}, {}, {}}),
                         "19 weights are less than the smallest step, 20 weights", UsageError);
}

TEST_CASE("a share of a kind is of its weights, of layers their number") {
    CHECK(quota_of({Amount::Of::share, 0.25}, 8, 1000).params == 250);
    CHECK(quota_of({Amount::Of::share, 0.25}, 8, 0).units == 2);
    CHECK(quota_of({Amount::Of::units, 3}, 8, 1000).units == 3);
    CHECK_FALSE(quota_of({}, 8, 1000).asked());
}

}  // namespace ech0
