#include "runtime/thoughts.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

// The text in pieces of n bytes.
ThoughtFilter::Parts filtered(const std::string& text, size_t n) {
    ThoughtFilter filter;
    ThoughtFilter::Parts all;
    const auto add = [&](const ThoughtFilter::Parts& parts) {
        all.thought += parts.thought;
        all.said += parts.said;
    };
    for (size_t at = 0; at < text.size(); at += n) add(filter.push(text.substr(at, n)));
    add(filter.finish());
    return all;
}

}  // namespace

TEST_CASE("thoughts and answer are told apart however the text is cut") {
    for (size_t n = 1; n < 40; n++) {
        CAPTURE(n);
        const ThoughtFilter::Parts parts =
            filtered("\n<think>\nTwo < three </thin\n</think>\n\nFive <think> six.\n", n);
        CHECK(parts.thought == "\nTwo < three </thin\n");
        CHECK(parts.said == "Five <think> six.\n");
        CHECK(filtered("No thoughts, <b>.", n).said == "No thoughts, <b>.");
        CHECK(filtered("  <thin air", n).said == "  <thin air");
        CHECK(filtered("<think>never ends </th", n).thought == "never ends </th");
        CHECK(filtered("<think></think>answer", n).said == "answer");
    }
}

TEST_CASE("an answer comes at once, and only what may become a mark waits") {
    ThoughtFilter filter;
    CHECK(filter.push("<thi").said == "");
    CHECK(filter.push("s is it").said == "<this is it");
    CHECK(filter.push(" <think>").said == " <think>");
}
