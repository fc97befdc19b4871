#include "compress/sensitivity.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "ech0/session.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

Chunks two_chunks(int64_t n_vocab) {
    Chunks chunks(2);
    for (size_t c = 0; c < 2; c++)
        for (int i = 0; i < 24; i++)
            chunks[c].push_back(static_cast<int32_t>((static_cast<int64_t>(c) * 57 + 29 * i) % n_vocab));
    return chunks;
}

/// Every value of the tensor 10 % larger.
std::vector<std::byte> swollen(const Source& source, const Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.n_elements));
    std::memcpy(values.data(), source.bytes(tensor).data(), values.size() * sizeof(float));
    for (float& v : values) v *= 1.1F;
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}

/// The same disturbance in a whole file, run by the engine as any model.
double kl_of_disturbed_file(const TemporaryFolder& folder, const Model& model, const Source& source,
                            const Tensor& tensor, const Chunks& chunks) {
    const auto file = folder / "disturbed.gguf";
    std::filesystem::copy_file(model.files.front(), file, std::filesystem::copy_options::overwrite_existing);
    {
        const std::vector<std::byte> bytes = swollen(source, tensor);
        std::FILE* f = std::fopen(file.string().c_str(), "r+b");
        std::fseek(f, tensor.offset_bytes, SEEK_SET);
        std::fwrite(bytes.data(), 1, bytes.size(), f);
        std::fclose(f);
    }
    SessionOptions options;
    options.n_ctx = 32;
    options.n_threads = 1;
    Session original(model, options), disturbed(read_model(file.string()), options);
    double sum = 0;
    size_t n = 0;
    for (const auto& chunk : chunks) {
        original.truncate(0);
        disturbed.truncate(0);
        const std::span<const float> a = original.decode(chunk, 0), b = disturbed.decode(chunk, 0);
        for (const double kl : kl_per_position(a, b, model.n_vocab, 1)) sum += kl, n++;
    }
    return sum / static_cast<double>(n);
}

}  // namespace

TEST_CASE("a tensor's measured disturbance is what a whole disturbed model shows") {
    const TemporaryFolder folder;
    for (const bool tied : {true, false}) {
        TinyModel shape;
        shape.n_layer = 3;
        shape.tied = tied;
        write_tiny_model(shape, folder / "tiny.gguf");
        const Model model = read_model((folder / "tiny.gguf").string());
        const Source source(model);
        const Chunks chunks = two_chunks(model.n_vocab);
        std::vector<const Tensor*> tensors;
        for (const char* name : {"token_embd.weight", "output.weight", "blk.0.attn_v.weight", "blk.1.ffn_down.weight",
                                 "blk.2.attn_output.weight"})
            if (const Tensor* t = model.find(name)) tensors.push_back(t);
        const auto measured =
            measure_disturbances(source, chunks, tensors, [&](const Tensor& t) { return swollen(source, t); }, 1, {});
        REQUIRE(measured.size() == tensors.size());
        for (size_t i = 0; i < tensors.size(); i++) {
            CAPTURE(tensors[i]->name);
            const double whole = kl_of_disturbed_file(folder, model, source, *tensors[i], chunks);
            CHECK(whole > 0);
            CHECK(measured[i].kl_divergence == doctest::Approx(whole).epsilon(1e-3));
        }
    }
}

TEST_CASE("KL per position follows its definition, and broken logits count as far away") {
    const std::vector<float> p = {std::log(0.5F), std::log(0.5F)}, q = {std::log(0.75F), std::log(0.25F)};
    CHECK(kl_per_position(p, q, 2, 1)[0] == doctest::Approx(0.143841).epsilon(1e-4));
    CHECK(kl_per_position(p, p, 2, 1)[0] == doctest::Approx(0));
    CHECK(kl_per_position(p, std::vector<float>{NAN, 0}, 2, 1)[0] >= 100);
}

}  // namespace ech0
