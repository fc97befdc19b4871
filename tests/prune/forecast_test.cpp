#include "prune/forecast.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace ech0 {

TEST_CASE("without checks the sum stands; one check gives a factor") {
    CHECK(forecast_kl({}, 0.3) == 0.3);
    const std::vector<CutCheck> one = {{0.1, 0.1, 0.15}};
    CHECK(forecast_kl(one, 0.3) == doctest::Approx(0.45));
}

TEST_CASE("two checks give the power by which the sum grows, within bounds") {
    std::vector<CutCheck> checks;
    for (const double x : {0.1, 0.2}) checks.push_back({x, 0, 2 * std::pow(x, 1.3)});
    CHECK(forecast_kl(checks, 0.4) == doctest::Approx(2 * std::pow(0.4, 1.3)));
    CHECK(forecast_kl(checks, 0.2) == doctest::Approx(checks[1].kl));
    checks[1].kl = 100 * checks[0].kl;
    CHECK(forecast_kl(checks, 0.4) == doctest::Approx(4 * checks[1].kl));
    checks[1].kl = checks[0].kl;
    CHECK(forecast_kl(checks, 0.8) == doctest::Approx(2 * checks[1].kl));
}

TEST_CASE("checks of parts that cost nothing, and two of one part, say no more than the last that was felt") {
    const std::vector<CutCheck> dead = {{0, 0, 1e-6}, {1e-9, 0, 0}}, felt = {{0, 0, 1e-6}, {0.1, 0.1, 0.2}},
                                twice = {{0.1, 0.1, 0.2}, {0.1, 0.2, 0.2}};
    CHECK(forecast_kl(dead, 0.3) == 0.3);
    CHECK(forecast_kl(felt, 0.3) == doctest::Approx(0.6));
    CHECK(forecast_kl(twice, 0.3) == doctest::Approx(0.6));
    CHECK(forecast_kl(felt, 0) == 0);
}

}  // namespace ech0
