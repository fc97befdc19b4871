#include "compress/compress.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "base/sha256.h"
#include "ech0/calibration.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "plan/candidates.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

struct Fixture {
    TemporaryFolder folder;
    TemporaryVariable cache{"ECH0_CACHE", (folder / "cache").string()};
    Model model;

    explicit Fixture(bool tied = true) {
        TinyModel shape;
        shape.n_embd = 256;
        shape.n_embd_head = 64;
        shape.n_ff = 512;
        shape.tied = tied;
        shape.type = GGML_TYPE_F16;
        write_tiny_model(shape, folder / "tiny.gguf");
        model = read_model((folder / "tiny.gguf").string());
    }

    CompressOptions options(double share, const std::string& out) const {
        CompressOptions o;
        o.budget_bytes = static_cast<int64_t>(share * static_cast<double>(model.size_bytes));
        o.out = folder / out;
        o.text = embedded_calibration_text();
        o.text.text.resize(6000);
        o.text.sha256 = sha256(o.text.text);
        o.n_ctx = 32;
        o.effort = 3;
        o.n_threads = 1;
        return o;
    }
};

/// Progress that gives up at the n-th call, as a killed process would.
struct Killed {};
Progress killed_after(int n) {
    return [n](std::string_view, int64_t, int64_t) mutable {
        if (--n < 0) throw Killed{};
    };
}

}  // namespace

TEST_CASE("a file of an exact size: never larger, nearly as large, and the engine runs it") {
    for (const bool tied : {true, false}) {
        const Fixture f(tied);
        for (const double share : {0.25, 0.35, 0.6}) {
            CAPTURE(share);
            const CompressOptions options = f.options(share, "small.gguf");
            const Artifact artifact = compress(f.model, options, {});
            const auto size = static_cast<int64_t>(std::filesystem::file_size(options.out));
            CHECK(size == artifact.size_bytes);
            CHECK(size == artifact.plan.file_bytes);
            CHECK(size <= options.budget_bytes);
            CHECK(static_cast<double>(size) >=
                  0.95 * static_cast<double>(options.budget_bytes));  // 15 tensors of one size: coarse steps
            CHECK(artifact.sha256 == sha256_of_file(options.out));
            const Model made = read_model(options.out.string());
            CHECK(made.tensors.size() == f.model.tensors.size());
            CHECK(std::get<std::string>(made.metadata.at("ech0.source.sha256").scalar) == artifact.source_sha256);
            Session session(made, {32, 32, 1});
            CHECK(session.decode(std::vector<int32_t>{1, 2, 3}, 2).size() == static_cast<size_t>(made.n_vocab));
            CHECK_FALSE(std::filesystem::exists(options.out.string() + ".ech0-work"));
        }
    }
}

TEST_CASE("the same options give the same bytes, whatever the number of threads") {
    const Fixture f;
    CompressOptions one = f.options(0.3, "one.gguf"), three = f.options(0.3, "three.gguf");
    three.n_threads = 3;
    CHECK(compress(f.model, one, {}).sha256 == compress(f.model, three, {}).sha256);
}

TEST_CASE("one type for every matrix") {
    const Fixture f(false);
    CompressOptions options = f.options(0, "one.gguf");
    options.type = "q3_K";
    options.effort = 1;
    const Artifact artifact = compress(f.model, options, {});
    for (const Assignment& a : artifact.plan.tensors) {
        CAPTURE(a.tensor);
        const Tensor& tensor = *f.model.find(a.tensor);
        CHECK(a.type_name == (is_compressible(tensor) ? "Q3_K" : "F32"));
    }
    CHECK(artifact.plan.measured_kl > 0);
    options.type = "Q3_Z";
    CHECK_THROWS_AS(compress(f.model, options, {}), UsageError);
}

TEST_CASE("a run that was stopped anywhere goes on and gives the same bytes") {
    const Fixture f;
    const std::string expected = compress(f.model, f.options(0.3, "whole.gguf"), {}).sha256;
    for (const int n : {1, 40, 60, 70, 80, 95, 110}) {
        CAPTURE(n);
        const CompressOptions options = f.options(0.3, "stopped.gguf");
        bool stopped = false;
        try {
            compress(f.model, options, killed_after(n));
        } catch (const Killed&) {
            stopped = true;
            CHECK_FALSE(std::filesystem::exists(options.out));
        }
        if (stopped) CHECK(compress(f.model, options, {}).sha256 == expected);
        std::filesystem::remove(options.out);
    }
}

TEST_CASE("more bytes never make it worse") {
    const Fixture f;
    double before = 1e9;
    for (const double share : {0.22, 0.3, 0.4, 0.55}) {
        const double kl = compress(f.model, f.options(share, "out.gguf"), {}).plan.measured_kl;
        CHECK(kl <= before * 1.05);
        before = kl;
    }
}

TEST_CASE("statistics of llama-imatrix's kind can be used instead of the text") {
    const Fixture f;
    CompressOptions options = f.options(0.3, "a.gguf");
    Calibration calibration;
    calibration.n_ctx = 32;
    for (const Tensor& t : f.model.tensors)
        if (t.shape.size() == 2)
            calibration.tensors.push_back(
                {t.name, t.n_cols(), 1, std::vector<float>(static_cast<size_t>(t.n_cols()), 3.0F), {2}});
    write_imatrix(calibration, f.folder / "imatrix.gguf");
    options.imatrix = f.folder / "imatrix.gguf";
    CHECK(compress(f.model, options, {}).size_bytes <= options.budget_bytes);
}

TEST_CASE("impossible budgets are refused before the long work, and leave nothing") {
    const Fixture f;
    for (const double share : {1.0, 2.0, 0.0001, 0.02}) {
        CAPTURE(share);
        const CompressOptions options = f.options(share, "never.gguf");
        CHECK_THROWS_AS(compress(f.model, options, {}), UsageError);
        CHECK_FALSE(std::filesystem::exists(options.out));
    }
    CompressOptions wrong = f.options(0.3, "never.gguf");
    wrong.effort = 9;
    CHECK_THROWS_AS(compress(f.model, wrong, {}), UsageError);
}

TEST_CASE("an already quantized model can be made smaller still") {
    const Fixture f;
    CompressOptions first = f.options(0.5, "first.gguf");
    compress(f.model, first, {});
    const Model quantized = read_model(first.out.string());
    CompressOptions second = f.options(0.25, "second.gguf");
    const Artifact artifact = compress(quantized, second, {});
    CHECK(artifact.size_bytes <= second.budget_bytes);
    CHECK(artifact.plan.measured_kl > 0);
}

}  // namespace ech0
