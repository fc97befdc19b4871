#include "machine/score_log.h"

#include <doctest/doctest.h>

#include <fstream>

#include "support/temporary_folder.h"

using namespace ech0;

namespace {

Score score(double predicted, double measured, const std::string& machine = "box, 2 threads") {
    return {"tokens_per_s", machine, "m", "", predicted, predicted * 0.9, predicted * 1.1, measured};
}

}  // namespace

TEST_CASE("scores come back as they were written, damaged lines are passed over") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", folder.path().string());
    CHECK(read_scores().empty());
    append_scores({score(10, 10.5), score(10, 12)});
    std::ofstream(score_file(), std::ios::app) << "{\"kind\": \"tok\n";
    append_scores({score(10, 9.5)});
    const std::vector<Score> scores = read_scores();
    REQUIRE(scores.size() == 3);
    CHECK(scores[1].measured == 12);
    const HitRate rate = hit_rate(scores, "tokens_per_s", "box");
    CHECK(rate.n == 3);
    CHECK(rate.n_hits == 2);
    CHECK(hit_rate(scores, "memory_bytes", "box").n == 0);
}

TEST_CASE("a model's own scores on a machine correct the next prediction once there are enough of them") {
    std::vector<Score> scores = {score(10, 8), score(20, 16)};
    CHECK(correction(scores, "tokens_per_s", "box, 2 threads", "m", 0.2).factor == 1);
    CHECK(correction(scores, "tokens_per_s", "box, 2 threads", "m", 0.2).half_width == 0.2);
    scores.push_back(score(10, 7.9));
    scores.push_back(score(5, 4.1));
    scores.push_back(score(10, 8));
    scores.push_back(score(10, 20, "other, 2 threads"));
    const Correction c = correction(scores, "tokens_per_s", "box, 2 threads", "m", 0.2);
    CHECK(c.n == 5);
    CHECK(c.factor == doctest::Approx(0.8));
    CHECK(c.half_width < 0.05);
    CHECK(correction(scores, "tokens_per_s", "box, 2 threads", "another", 0.2).factor == 1);
}
