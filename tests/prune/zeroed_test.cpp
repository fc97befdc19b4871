#include "prune/zeroed.h"

#include <doctest/doctest.h>

#include "compress/judge.h"
#include "prune/pruned_file.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

TEST_CASE("zeros in place of what is cut put out what the cut file does, and cutting nothing changes nothing") {
    for (const char* architecture : {"llama", "qwen2"}) {
        CAPTURE(std::string(architecture));
        const TemporaryFolder folder;
        TinyModel shape;
        shape.architecture = architecture;
        shape.n_layer = 4;
        shape.type = GGML_TYPE_F16;
        write_tiny_model(shape, folder / "tiny.gguf");
        const Model model = read_model((folder / "tiny.gguf").string());
        const Source source(model);
        const Judge judge(model, source.as_f16(), random_chunks(model.n_vocab, 2, 32, 3), {32, 1, {}});
        CHECK(mean_of(judge.kl(model, zeroed(source, whole(model)))) == 0);

        Structure structure = whole(model);
        structure.layers[0].kv_heads = {1};
        structure.layers[1].channels.erase(structure.layers[1].channels.begin() + 16,
                                           structure.layers[1].channels.begin() + 64);
        structure.layers[3].kv_heads.clear();
        structure.layers.erase(structure.layers.begin() + 2);
        write_pruned(source, structure, {"deci", false, "prune"}, {}, folder / "cut.gguf");
        const Model cut = read_model((folder / "cut.gguf").string());
        const double of_file = mean_of(judge.kl(cut, Source(cut).as_stored()));
        CHECK(of_file > 1e-4);
        CHECK(mean_of(judge.kl(model, zeroed(source, structure))) == doctest::Approx(of_file).epsilon(0.01));
    }
}

}  // namespace ech0
