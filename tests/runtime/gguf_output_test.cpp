#include "runtime/gguf_output.h"

#include <doctest/doctest.h>
#include <gguf.h>

#include "base/sha256.h"
#include "ech0/error.h"
#include "runtime/source.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

struct Copy {
    TemporaryFolder folder;
    Model model;
    gguf_context_ptr gguf;
    ggml_context_ptr tensors;

    Copy() {
        write_tiny_model({}, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
        gguf = copied_keys(model);
        tensors.reset(ggml_init({ggml_tensor_overhead() * (model.tensors.size() + 1), nullptr, true}));
        for (const Tensor& t : model.tensors) {
            ggml_tensor* tensor = ggml_new_tensor(tensors.get(), static_cast<ggml_type>(t.type),
                                                  static_cast<int>(t.shape.size()), t.shape.data());
            ggml_set_name(tensor, t.name.c_str());
            gguf_add_tensor(gguf.get(), tensor);
        }
    }
    std::string write(const Proof& proof = {}) const {
        const Source source(model);
        return write_gguf(
            gguf.get(),
            [&](size_t i, std::vector<std::byte>&) {
                return source.bytes(*model.find(gguf_get_tensor_name(gguf.get(), static_cast<int64_t>(i))));
            },
            folder / "out.gguf", proof);
    }
};

}  // namespace

TEST_CASE("a file that is written has the size and the hash that were said") {
    const Copy copy;
    const std::string hash = copy.write();
    CHECK(std::filesystem::file_size(copy.folder / "out.gguf") == static_cast<uint64_t>(file_bytes(copy.gguf.get())));
    CHECK(sha256_of_file(copy.folder / "out.gguf") == hash);
}

TEST_CASE("a file that fails its proof never takes its name, and nothing is left of it") {
    const Copy copy;
    bool was_there = true;
    CHECK_THROWS_AS(copy.write([&](const Model& written) {
        was_there = std::filesystem::exists(copy.folder / "out.gguf");
        CHECK(written.n_params == copy.model.n_params);
        throw Error("other logits than planned");
    }),
                    Error);
    CHECK_FALSE(was_there);
    CHECK(std::distance(std::filesystem::directory_iterator(copy.folder.path()), {}) == 1);  // the source
}

TEST_CASE("a file whose index does not fit its architecture is stopped before it takes its name") {
    const Copy copy;
    gguf_set_val_u32(copy.gguf.get(), "llama.block_count", 70);
    CHECK_THROWS_AS(copy.write(), FormatError);
    CHECK_FALSE(std::filesystem::exists(copy.folder / "out.gguf"));
}

}  // namespace ech0
