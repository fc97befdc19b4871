#include "calibrate/chunks.h"

#include <doctest/doctest.h>

#include <set>

#include "calibrate/text.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

Model tiny(const TemporaryFolder& folder) {
    write_tiny_model({}, folder / "tiny.gguf");
    return read_model((folder / "tiny.gguf").string());
}

}  // namespace

TEST_CASE("statistics and selection share no chunk and cover the text") {
    const TemporaryFolder folder;
    const Model model = tiny(folder);
    const CalibrationChunks chunks = cut_into_chunks(model, embedded_calibration_text().text.substr(0, 20000), 64);
    CHECK(chunks.selection.size() * 6 <= chunks.statistics.size());
    CHECK(chunks.statistics.size() <= chunks.selection.size() * 8);
    std::set<std::vector<int32_t>> seen;
    for (const Chunks* part : {&chunks.statistics, &chunks.selection})
        for (const auto& chunk : *part) {
            CHECK(chunk.size() == 64);
            CHECK(seen.insert(chunk).second);
        }
}

TEST_CASE("a text that is too short is refused with its length") {
    const TemporaryFolder folder;
    const Model model = tiny(folder);
    CHECK_THROWS_AS(cut_into_chunks(model, "Too little.", 64), UsageError);
}

TEST_CASE("the embedded text is large, and no paragraph stands twice") {
    const std::string text = embedded_calibration_text().text;
    CHECK(text.size() > 110'000);
    std::set<std::string> paragraphs;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find("\n\n", at), text.size());
        const std::string paragraph = text.substr(at, end - at);
        if (paragraph.size() > 40) CHECK_MESSAGE(paragraphs.insert(paragraph).second, paragraph);
        at = end + 2;
    }
}

}  // namespace ech0
