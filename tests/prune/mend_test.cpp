#include "prune/mend.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "compress/sensitivity.h"
#include "prune/pruned_file.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

constexpr int64_t n_ctx = 48;

using Mended = std::map<std::string, std::vector<std::byte>>;

struct Fixture {
    TemporaryFolder folder;
    Model model;
    explicit Fixture(const char* architecture) {
        TinyModel shape;
        shape.architecture = architecture;
        shape.n_layer = 3;
        shape.n_ff = 128;
        shape.type = GGML_TYPE_F16;
        write_tiny_model(shape, folder / "tiny.gguf");
        model = read_model((folder / "tiny.gguf").string());
    }
    Model written(const Structure& structure, const Mended& mended, const char* name) const {
        const Source source(model);
        const auto repaired = [&](const std::string& tensor) {
            const auto found = mended.find(tensor);
            return found == mended.end() ? std::span<const std::byte>() : std::span<const std::byte>(found->second);
        };
        write_pruned(source, structure, {"deci", true, "prune"}, repaired, folder / name);
        return read_model((folder / name).string());
    }
    Mended mend_it(const Structure& structure, const Model& cut, int n_threads = 1, bool spilled = false,
                   Repair repair = Repair::full) const {
        const Source original(model), pruned(cut);
        const Chunks chunks = random_chunks(model.n_vocab, 24, n_ctx, 1);
        Mended mended;
        MendJob job{original,
                    pruned,
                    structure,
                    chunks,
                    n_ctx,
                    n_threads,
                    repair,
                    [&](const Tensor& t, std::span<const std::byte> b) { mended[t.name].assign(b.begin(), b.end()); },
                    {}};
        if (spilled) job.spill = std::make_shared<Spill>(folder.path(), 0);
        mend(job);
        return mended;
    }
    /// Mean KL on text that the repair did not see.
    double kl_of(const Model& candidate) const {
        const Chunks chunks = random_chunks(model.n_vocab, 4, n_ctx, 99);
        const Source a(model), b(candidate);
        const auto logits = [&](const Model& m, const Source& s) {
            std::vector<float> all;
            Walk walk{{n_ctx, 1}, nullptr, {}, "", {}};
            walk.on_logits = [&](int64_t, std::span<const float> l) { all.insert(all.end(), l.begin(), l.end()); };
            walk_model(m, s.as_stored(), chunks, walk);
            return all;
        };
        double sum = 0;
        const std::vector<double> kl = kl_per_position(logits(model, a), logits(candidate, b), model.n_vocab, 1);
        for (const double x : kl) sum += x;
        return sum / static_cast<double>(kl.size());
    }
};

Structure some_cut(const Model& model) {
    Structure structure = whole(model);
    structure.layers[0].kv_heads = {0};
    structure.layers[1].channels.erase(structure.layers[1].channels.begin(), structure.layers[1].channels.begin() + 32);
    structure.layers[2].kv_heads.clear();
    return structure;
}

}  // namespace

TEST_CASE("a mended model is nearer to the original than one that is only cut, on text that the repair did not see") {
    for (const char* architecture : {"llama", "qwen2"}) {
        CAPTURE(std::string(architecture));
        const Fixture f(architecture);
        const Structure structure = some_cut(f.model);
        const Model cut = f.written(structure, {}, "cut.gguf");
        const Mended mended = f.mend_it(structure, cut);
        CHECK(mended.size() == 2 * (2 + 3));  // attention outputs that are left, and all ffn_down; their biases
        const Model repaired = f.written(structure, mended, "repaired.gguf");
        CHECK(f.kl_of(repaired) < f.kl_of(cut));
    }
}

TEST_CASE("where nothing was cut the repair changes next to nothing") {
    const Fixture f("llama");
    const Structure structure = whole(f.model);
    const Model same = f.written(structure, {}, "same.gguf");
    CHECK(f.kl_of(f.written(structure, f.mend_it(structure, same), "mended.gguf")) < 1e-5);
}

TEST_CASE("a layer that is gone is made up for in part by those that stay, wherever it stood") {
    const Fixture f("llama");
    for (const int64_t gone : {1, 2}) {
        CAPTURE(gone);
        Structure structure = whole(f.model);
        structure.layers.erase(structure.layers.begin() + gone);
        const Model cut = f.written(structure, {}, "cut.gguf");
        CHECK(f.kl_of(f.written(structure, f.mend_it(structure, cut), "repaired.gguf")) < f.kl_of(cut));
    }
}

TEST_CASE("biases alone bring the means back: nearer than the cut, farther than the whole repair") {
    const Fixture f("llama");
    const Structure structure = some_cut(f.model);
    const Model cut = f.written(structure, {}, "cut.gguf");
    const Mended biases = f.mend_it(structure, cut, 1, false, Repair::bias);
    CHECK(biases.size() == 2 + 3);
    for (const auto& [name, bytes] : biases) CHECK(name.ends_with(".bias"));
    const double with_biases = f.kl_of(f.written(structure, biases, "biases.gguf"));
    CHECK(with_biases < f.kl_of(cut));
    CHECK(f.kl_of(f.written(structure, f.mend_it(structure, cut), "repaired.gguf")) < with_biases);
}

TEST_CASE("the repair is the same for any number of threads, and with hidden states spilled") {
    const Fixture f("qwen2");
    const Structure structure = some_cut(f.model);
    const Model cut = f.written(structure, {}, "cut.gguf");
    const Mended one = f.mend_it(structure, cut);
    CHECK(one == f.mend_it(structure, cut, 3));
    CHECK(one == f.mend_it(structure, cut, 1, true));
}

}  // namespace ech0
