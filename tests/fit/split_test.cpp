#include "fit/split.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

struct Place {
    TemporaryFolder folder;
    Model model = tiny(folder);
    RunPlan plan;

    static Model tiny(const TemporaryFolder& folder) {
        TinyModel tiny;
        tiny.n_layer = 6;
        write_tiny_model(tiny, folder / "m.gguf");
        return read_model((folder / "m.gguf").string());
    }
    int64_t layer_bytes() const {
        int64_t bytes = 0;
        for (const Tensor& tensor : model.tensors)
            if (tensor.name.starts_with("blk.0.")) bytes += tensor.size_bytes;
        return bytes;
    }
    int64_t embedding_bytes() const { return model.find("token_embd.weight")->size_bytes; }
};

const std::vector<int64_t> planned;

}  // namespace

TEST_CASE("what fits here stays here, and the workers have nothing") {
    Place place;
    place.plan.budget_bytes = int64_t{1} << 30;
    const Split split =
        plan_split(place.model, place.plan, std::vector<Worker>{{"w:1", 0, "", 1 << 30, 1 << 30}}, planned);
    CHECK(split.fits);
    CHECK(split.remote.empty());
    CHECK(split.parts.size() == 1);
    CHECK(split.parts[0].n_layer == 7);
}

TEST_CASE("the rest goes to the fewest workers, in their order, the cache with its layers") {
    Place place;
    place.plan.memory.kv_bytes = 6 * 1000;
    place.plan.memory.compute_bytes = 500;
    const int64_t layer = place.layer_bytes() + 1000;
    place.plan.budget_bytes = 500 + place.embedding_bytes() + 2 * layer;
    const std::vector<Worker> workers = {
        {"a:1", 0, "", 500 + 3 * layer, 0}, {"b:1", 1, "", 1 << 30, 0}, {"c:1", 0, "", 1 << 30, 0}};
    const Split split = plan_split(place.model, place.plan, workers, planned);
    CHECK(split.fits);
    REQUIRE(split.remote.size() == 2);
    CHECK(split.parts[0].n_layer == 2);
    CHECK(split.remote[0].endpoint == "a:1");
    CHECK(split.remote[0].n_layer == 3);
    CHECK(split.remote[1].endpoint == "b:1");
    CHECK(split.remote[1].device == 1);
    CHECK(split.remote[1].n_layer == 2);  // the last layer and the output
    CHECK(split.parts[1].need_bytes == 500 + 3 * layer);
}

TEST_CASE("what no machine holds does not fit") {
    Place place;
    const Split split = plan_split(place.model, place.plan, std::vector<Worker>{{"a:1", 0, "", 10, 10}}, planned);
    CHECK_FALSE(split.fits);
}

TEST_CASE("layers that a person names are taken, if they are all") {
    Place place;
    place.plan.budget_bytes = int64_t{1} << 30;
    const std::vector<Worker> workers = {{"a:1", 0, "", 1 << 30, 1 << 30}};
    const Split split = plan_split(place.model, place.plan, workers, std::vector<int64_t>{1, 6});
    REQUIRE(split.remote.size() == 1);
    CHECK(split.remote[0].n_layer == 6);
    CHECK_THROWS_AS(plan_split(place.model, place.plan, workers, std::vector<int64_t>{1, 5}), UsageError);
    CHECK_THROWS_AS(plan_split(place.model, place.plan, workers, std::vector<int64_t>{7}), UsageError);
}
