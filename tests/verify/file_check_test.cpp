#include "verify/file_check.h"

#include <doctest/doctest.h>

#include <fstream>
#include <limits>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

Soundness of(const std::vector<FilePoint>& points, const std::string& what) {
    for (const FilePoint& p : points)
        if (p.what == what) return p.soundness;
    throw std::runtime_error("no point " + what);
}

/// Writes one float into a tensor of an F32 model.
void poke(const Model& model, const std::string& tensor, float value) {
    std::fstream file(model.files.front(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(model.find(tensor)->offset_bytes + 8);
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

TEST_CASE("a sound file is sound in every point") {
    for (const char* architecture : {"llama", "qwen3moe", "gemma3"}) {
        CAPTURE(std::string(architecture));
        const TemporaryFolder folder;
        TinyModel tiny;
        tiny.architecture = architecture;
        if (tiny.architecture == "qwen3moe") tiny.n_expert = 4, tiny.n_expert_used = 2;
        write_tiny_model(tiny, folder / "m.gguf");
        const std::vector<FilePoint> points = check_file(read_model((folder / "m.gguf").string()), 1, {});
        CHECK(points.size() == 5);
        for (const FilePoint& p : points) CHECK_MESSAGE(p.soundness == Soundness::sound, p.what, ": ", p.found);
    }
}

TEST_CASE("a weight that is no number is found, and its tensor named; what it does to the output too") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    poke(model, "blk.1.ffn_up.weight", std::numeric_limits<float>::quiet_NaN());
    poke(model, "blk.1.ffn_down.weight", std::numeric_limits<float>::infinity());
    const std::vector<FilePoint> points = check_file(model, 2, {});
    CHECK(of(points, "index") == Soundness::sound);
    CHECK(of(points, "weights") == Soundness::broken);
    CHECK(points[1].found == "2 weights are NaN or infinite, the first in blk.1.ffn_down.weight");
    CHECK(of(points, "engine") == Soundness::broken);
    CHECK(soundness_of(points) == Soundness::broken);
}

}  // namespace ech0
