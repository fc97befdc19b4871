#include "verify/overlap.h"

#include <doctest/doctest.h>

#include <string>

#include "calibrate/text.h"
#include "verify/evaluation_text.h"

namespace ech0 {
namespace {

std::string words(int from, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += "word" + std::to_string(from + i) + (i % 5 == 4 ? ".\n" : " ");
    return text;
}

TEST_CASE("a text overlaps with itself wholly, with another not at all") {
    CHECK(overlap(words(0, 100), words(0, 100)) == 1);
    CHECK(overlap(words(0, 100), words(200, 100)) == 0);
}

TEST_CASE("a copied passage counts its whole sequences of 13 words") {
    // 20 words of the calibration text stand in the middle: 8 sequences of 13 out of 120 - 12
    const std::string evaluation = words(1000, 50) + words(40, 20) + words(2000, 50);
    CHECK(overlap(evaluation, words(0, 100)) == doctest::Approx(8.0 / 108));
    CHECK(overlap(words(1000, 50) + words(40, 12) + words(2000, 50), words(0, 100)) == 0);
}

TEST_CASE("case, punctuation and line breaks don't hide a copy") {
    CHECK(overlap("One two, three four five six seven; eight nine ten eleven twelve THIRTEEN!",
                  "one two three\nfour five six \"seven\" eight nine ten (eleven) twelve thirteen") == 1);
}

TEST_CASE("Chinese characters are words of their own, accented letters belong to theirs") {
    CHECK(overlap("天地玄黄宇宙洪荒日月盈昃辰", "天地玄黄,宇宙洪荒。日月盈昃,辰") == 1);
    CHECK(overlap("天地玄黄宇宙洪荒日月盈昃", "天地玄黄宇宙洪荒日月盈昃") == 0);  // 12 of them
    CHECK(overlap("é1 é2 é3 é4 é5 é6 é7 é8 é9 é10 é11 é12 é13", "é1 é2 é3 é4 é5 é6 é7 é8 é9 é10 é11 é12 é14") == 0);
}

TEST_CASE("a text of fewer than 13 words, or cut inside a character, overlaps with nothing") {
    CHECK(overlap("", "") == 0);
    CHECK(overlap(words(0, 12), words(0, 12)) == 0);
    CHECK(overlap("\xE5\xA4", "\xE5") == 0);
}

TEST_CASE("nothing of the embedded evaluation text stands in the embedded calibration text") {
    const std::string evaluation = load_evaluation_text({}).content;
    const std::string calibration = embedded_calibration_text().text;
    CHECK(evaluation.size() > 40000);
    CHECK(calibration.size() > 80000);
    CHECK(overlap(evaluation, calibration) == 0);
}

}  // namespace
}  // namespace ech0
