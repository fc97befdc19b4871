#include "voice/resampler.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

namespace {

Sound tone(int64_t rate, double hertz, double seconds) {
    Sound sound{rate, {}};
    const auto n = static_cast<int64_t>(seconds * static_cast<double>(rate));
    for (int64_t i = 0; i < n; i++)
        sound.samples.push_back(static_cast<float>(
            std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / static_cast<double>(rate))));
    return sound;
}

// Largest difference from the sine that it should be, away from the ends.
double worst_error(const Sound& found, double hertz) {
    double worst = 0;
    for (size_t i = found.samples.size() / 4; i < found.samples.size() * 3 / 4; i++) {
        const double wanted =
            std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / static_cast<double>(found.rate));
        worst = std::max(worst, std::abs(static_cast<double>(found.samples[i]) - wanted));
    }
    return worst;
}

double loudest(const Sound& sound) {
    double most = 0;
    for (size_t i = sound.samples.size() / 4; i < sound.samples.size() * 3 / 4; i++)
        most = std::max(most, std::abs(static_cast<double>(sound.samples[i])));
    return most;
}

}  // namespace

TEST_CASE("a tone at another sampling rate is the same sine, for the rates that voices and devices have") {
    for (const auto& [from, to] : std::initializer_list<std::pair<int64_t, int64_t>>{{22050, 16000},
                                                                                     {48000, 16000},
                                                                                     {44100, 16000},
                                                                                     {8000, 16000},
                                                                                     {16000, 48000},
                                                                                     {22050, 44100},
                                                                                     {11025, 16000}}) {
        const double lower = static_cast<double>(std::min(from, to));
        for (const double share : {0.01, 0.1, 0.3, 0.44}) {
            CAPTURE(from);
            CAPTURE(to);
            CAPTURE(share);
            const Sound out = resampled(tone(from, share * lower, 0.5), to);
            CHECK(out.rate == to);
            CHECK(worst_error(out, share * lower) < 2e-3);
        }
    }
}

TEST_CASE("a tone that the lower rate can't hold is gone, not folded back") {
    for (const double hertz : {8010.0, 9000.0, 15000.0, 23000.0})
        CHECK(loudest(resampled(tone(48000, hertz, 0.5), 16000)) < 1e-3);
}

TEST_CASE("a constant stays what it is") {
    const Sound out = resampled({22050, std::vector<float>(4000, 0.25F)}, 16000);
    for (size_t i = 1000; i < 2000; i++) CHECK(out.samples[i] == doctest::Approx(0.25).epsilon(1e-5));
}

TEST_CASE("the length is the time, rounded up") {
    CHECK(resampled({22050, std::vector<float>(22050)}, 16000).samples.size() == 16000);
    CHECK(resampled({48000, std::vector<float>(100)}, 16000).samples.size() == 34);
    CHECK(resampled({48000, {}}, 16000).samples.empty());
    CHECK(resampled({16000, {1, 2, 3}}, 16000).samples == std::vector<float>{1, 2, 3});
}

TEST_CASE("pieces give what the whole gives") {
    const Sound whole = tone(44100, 440, 3);
    const std::vector<float> wanted = resampled(whole, 16000).samples;
    Resampler resampler(44100, 16000);
    std::vector<float> found;
    size_t at = 0;
    for (size_t n = 1; at < whole.samples.size(); n = n * 7 % 1999 + 1) {
        const size_t take = std::min(n, whole.samples.size() - at);
        const std::vector<float> piece = resampler.push(std::span(whole.samples).subspan(at, take));
        found.insert(found.end(), piece.begin(), piece.end());
        at += take;
    }
    const std::vector<float> rest = resampler.finish();
    found.insert(found.end(), rest.begin(), rest.end());
    CHECK(found == wanted);
}

TEST_CASE("rates that are none, or would need a table beyond reason, are refused") {
    CHECK_THROWS_AS(Resampler(0, 16000), UsageError);
    CHECK_THROWS_AS(Resampler(16000, -1), UsageError);
    CHECK_THROWS_AS(Resampler(383987, 379999), UsageError);
}
