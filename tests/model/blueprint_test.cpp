#include "model/blueprint.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <set>

#include "ech0/error.h"
#include "ech0/model.h"
#include "runtime/source.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("every blueprint is a model that passes our gate, with as many weights as were published") {
    const TemporaryFolder folder;
    for (const Blueprint& blueprint : blueprints()) {
        CAPTURE(blueprint.name);
        write_blueprint(blueprint, folder / "b.gguf");
        const Model model = read_model((folder / "b.gguf").string());
        int64_t n_params = 0;
        for (const Tensor& tensor : model.tensors)
            if (!tensor.name.starts_with("rope_f")) n_params += tensor.n_elements;
        CHECK(n_params == blueprint.n_params);
        CHECK_FALSE(model.has_weights);
        CHECK(model.n_vocab == blueprint.n_vocab);
        CHECK(model.n_swa == blueprint.n_swa);
        CHECK(model.tied_embeddings == blueprint.tied_embeddings);
        std::filesystem::remove(folder / "b.gguf");
    }
}

TEST_CASE("no two blueprints answer to one name") {
    std::set<std::string> names;
    for (const Blueprint& blueprint : blueprints()) {
        CHECK(names.insert(blueprint.name).second);
        for (const std::string& alias : blueprint.aliases) CHECK(names.insert(alias).second);
    }
    CHECK(find_blueprint("Qwen2.5:32B") == find_blueprint("qwen2.5:32b"));
    CHECK(find_blueprint("qwen2.5:33b") == nullptr);
}

TEST_CASE("a blueprint costs no disk, and nobody may read its weights") {
    const TemporaryFolder folder;
    write_blueprint(*find_blueprint("qwen2.5:32b"), folder / "b.gguf");
    const Model model = read_model((folder / "b.gguf").string());
    CHECK(model.size_bytes > 65'000'000'000);
    struct stat status {};
    REQUIRE(stat((folder / "b.gguf").c_str(), &status) == 0);
    CHECK(status.st_size > 65'000'000'000);
    CHECK(status.st_blocks * 512 < 1'000'000);
    CHECK_THROWS_AS(Source{model}, UsageError);
}
