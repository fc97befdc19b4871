#include "calibrate/moments.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/file.h"
#include "calibrate/gather.h"
#include "ech0/error.h"
#include "runtime/source.h"
#include "support/random_matrix.h"
#include "support/some_chunks.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

double mean_product(const Matrix& x, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t t = 0; t < x.rows(); t++) sum += static_cast<double>(x(t, i)) * static_cast<double>(x(t, j));
    return sum / static_cast<double>(x.rows());
}

/// Largest difference from the mean of x x' by its definition.
double distance(const Matrix& h, const Matrix& x, int64_t first) {
    double worst = 0;
    for (int64_t i = 0; i < h.rows(); i++)
        for (int64_t j = 0; j < h.cols(); j++)
            worst = std::max(worst, std::abs(static_cast<double>(h(i, j)) - mean_product(x, first + i, first + j)));
    return worst;
}

Moments moments_of(const Matrix& x, int n_threads) {
    Moments moments(x.cols(), 1);
    moments.add(0, x.data(), x.rows(), n_threads);
    moments.finish();
    return moments;
}

struct Fixture {
    TemporaryFolder folder;
    Model model;
    Chunks chunks;
    explicit Fixture(const TinyModel& shape = {}) {
        write_tiny_model(shape, folder / "tiny.gguf");
        model = read_model((folder / "tiny.gguf").string());
        chunks = some_chunks(model.n_vocab);
    }
};

TinyModel experts() {
    TinyModel shape;
    shape.architecture = "qwen3moe";
    shape.n_expert = 4;
    shape.n_expert_used = 2;
    return shape;
}

/// All rows that a walk of the model shows of one weight's input.
Matrix inputs_of(const Fixture& f, const Weights& weights, const std::string& wanted) {
    std::vector<float> rows;
    int64_t width = 0;
    ActivationSink sink;
    sink.wants = [&](const std::string& tensor) { return tensor == wanted; };
    sink.take = [&](const std::string&, int64_t, const float* x, int64_t n_rows, int64_t n_cols) {
        rows.insert(rows.end(), x, x + n_rows * n_cols);
        width = n_cols;
    };
    walk_model(f.model, weights, f.chunks, {{20, 1}, &sink, {}, "", {}});
    REQUIRE(width > 0);
    return Eigen::Map<const Matrix>(rows.data(), static_cast<int64_t>(rows.size()) / width, width);
}

}  // namespace

TEST_CASE("moments are the mean of x x', whatever the chunks") {
    const Matrix x = random_matrix(50, 130, 1);
    Moments moments(130, 1);
    for (int64_t first = 0; first < 50; first += 20)
        moments.add(0, x.row(first).data(), std::min<int64_t>(20, 50 - first), 1);
    moments.finish();
    const Matrix h = moments.of(0, 0);
    CHECK(distance(h, x, 0) < 2e-6);
    CHECK(h == Matrix(h.transpose()));
    CHECK(moments.n_tokens(0) == 50);
}

TEST_CASE("moments have the same bits for any number of threads") {
    const Matrix x = random_matrix(50, 300, 2);
    CHECK(moments_of(x, 1).of(0, 0) == moments_of(x, 3).of(0, 0));
}

TEST_CASE("an input too wide for one moment has one for each range of its columns") {
    const Matrix x = random_matrix(3, 8448, 3);
    const Moments moments = moments_of(x, 1);
    const std::vector<ColumnRange> ranges = column_ranges(8448);
    REQUIRE(ranges.size() == 2);
    for (size_t r = 0; r < 2; r++) {
        const Matrix h = moments.of(0, r);
        REQUIRE(h.rows() == ranges[r].n);
        const Matrix corner = h.bottomRightCorner(40, 40);
        CHECK(distance(corner, x, ranges[r].first + ranges[r].n - 40) < 2e-6);
    }
    const Importance importance = moments.importance("wide");
    REQUIRE(importance.sum_square.size() == 8448);
    for (const int64_t j : {0, 4223, 4224, 8447})
        CHECK(importance.mean_square(0, j) == doctest::Approx(mean_product(x, j, j)).epsilon(1e-5));
}

TEST_CASE("ranges cover all columns once, in blocks where the width is one of blocks, and no wider than allowed") {
    struct Expected {
        int64_t n_cols;
        size_t n_ranges;
    };
    for (const auto& [n_cols, n_ranges] :
         {Expected{64, 1}, {768, 1}, {8192, 1}, {8448, 2}, {11008, 2}, {27648, 4}, {8224, 2}, {100003, 13}}) {
        CAPTURE(n_cols);
        const std::vector<ColumnRange> ranges = column_ranges(n_cols);
        CHECK(ranges.size() == n_ranges);
        int64_t next = 0;
        for (const ColumnRange& r : ranges) {
            CHECK(r.first == next);
            CHECK(r.n > 0);
            CHECK(r.n <= 8192);
            if (n_cols % 256 == 0) CHECK(r.n % 256 == 0);
            if (n_cols % 32 == 0) CHECK(r.n % 32 == 0);
            next = r.first + r.n;
        }
        CHECK(next == n_cols);
    }
}

TEST_CASE("no range is wider than allowed for any width of blocks up to a million") {
    int64_t widest = 0;
    for (int64_t n_cols = 32; n_cols < (int64_t{1} << 20); n_cols += 32)
        for (const ColumnRange& r : column_ranges(n_cols)) widest = std::max(widest, r.n);
    CHECK(widest == MomentLimits().widest);
}

TEST_CASE("an expert's moment is its own as far as it saw tokens, and that of all where it saw none") {
    constexpr int64_t n = 24;
    const Matrix many = random_matrix(10 * n, n, 4), few = 3 * random_matrix(n / 4, n, 5);
    Moments moments(n, 3);
    moments.add(0, many.data(), many.rows(), 1);
    moments.add(2, few.data(), few.rows(), 1);
    moments.finish();
    CHECK(moments.n_mat() == 3);
    const auto n_many = static_cast<double>(many.rows()), n_few = static_cast<double>(few.rows());
    double worst[3] = {};
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double a = mean_product(many, i, j), b = mean_product(few, i, j);
            const double common = (n_many * a + n_few * b) / (n_many + n_few);
            // The common moment counts as many tokens as there are columns.
            const double expected[] = {(n_many * a + n * common) / (n_many + n), common,
                                       (n_few * b + n * common) / (n_few + n)};
            for (int64_t m = 0; m < 3; m++)
                worst[m] = std::max(
                    worst[m], std::abs(static_cast<double>(moments.of(m, 0)(i, j)) - expected[static_cast<size_t>(m)]));
        }
    for (const double w : worst) CHECK(w < 2e-5);
}

TEST_CASE("experts that saw nothing at all count all columns the same") {
    Moments moments(8, 2);
    moments.finish();
    CHECK(moments.of(1, 0) == Matrix(Matrix::Identity(8, 8)));
}

TEST_CASE("inputs that are no numbers are refused") {
    Matrix x = random_matrix(5, 8, 6);
    x(3, 3) = std::numeric_limits<float>::quiet_NaN();
    Moments moments(8, 1);
    moments.add(0, x.data(), 5, 1);
    CHECK_THROWS_AS(moments.finish(), EngineError);
}

TEST_CASE("moments come back from their file as they were") {
    const TemporaryFolder folder;
    const Matrix x = random_matrix(30, 16, 7);
    Moments moments(16, 3);
    moments.add(0, x.data(), 20, 1);
    moments.add(2, x.row(20).data(), 10, 1);
    moments.finish();
    moments.write(folder / "m.moments");
    const Moments back = Moments::read(folder / "m.moments");
    CHECK(back.n_cols() == 16);
    REQUIRE(back.n_mat() == 3);
    for (int64_t m = 0; m < 3; m++) {
        CHECK(back.n_tokens(m) == moments.n_tokens(m));
        CHECK(back.of(m, 0) == moments.of(m, 0));
    }
}

TEST_CASE("a file of moments cut off anywhere is refused") {
    const TemporaryFolder folder;
    moments_of(random_matrix(3, 3, 8), 1).write(folder / "whole");
    const std::string whole = read_file(folder / "whole");
    REQUIRE(whole.size() == 24 + 8 + 6 * sizeof(float));
    for (size_t size = 0; size < whole.size(); size++) {
        CAPTURE(size);
        write_file(folder / "cut", whole.substr(0, size));
        CHECK_THROWS_AS(Moments::read(folder / "cut"), FormatError);
    }
}

TEST_CASE("a file that claims more moments than it has is refused before memory is asked for") {
    const TemporaryFolder folder;
    moments_of(random_matrix(3, 3, 8), 1).write(folder / "whole");
    std::string bytes = read_file(folder / "whole");
    for (const int64_t n_cols : {int64_t{1} << 24, int64_t{1} << 40, int64_t{-1}, int64_t{0}}) {
        CAPTURE(n_cols);
        bytes.replace(0, 8, reinterpret_cast<const char*>(&n_cols), 8);
        write_file(folder / "big", bytes);
        CHECK_THROWS_AS(Moments::read(folder / "big"), FormatError);
    }
}

TEST_CASE("a store finds its moments again, shared by the tensors that read one input") {
    const TemporaryFolder folder;
    const Moments moments = moments_of(random_matrix(9, 12, 9), 1);
    MomentStore(folder / "store").put({"blk.0.attn_q.weight", "blk.0.attn_k.weight"}, moments);
    const MomentStore again(folder / "store");
    for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_k.weight"}) {
        REQUIRE(again.has(name));
        CHECK(again.get(name).of(0, 0) == moments.of(0, 0));
    }
    CHECK_FALSE(again.has("blk.0.attn_v.weight"));
    CHECK_THROWS_AS(again.get("blk.0.attn_v.weight"), UsageError);
}

TEST_CASE("the diagonals of a walk's moments are the mean squares of the importance matrix") {
    for (const TinyModel& shape : {TinyModel{}, experts()}) {
        const Fixture f(shape);
        const Source source(f.model);
        MomentStore store(f.folder / "store");
        const Calibration moments = gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, store, {});
        const Calibration expected = gather_importance(f.model, source.as_stored(), f.chunks, 20, 1, {});
        CHECK(moments.n_tokens == 60);
        REQUIRE(moments.tensors.size() == expected.tensors.size());
        for (size_t i = 0; i < expected.tensors.size(); i++) {
            const Importance &mine = moments.tensors[i], &theirs = expected.tensors[i];
            CAPTURE(theirs.tensor);
            CHECK(mine.tensor == theirs.tensor);
            CHECK(mine.count == theirs.count);
            REQUIRE(mine.sum_square.size() == theirs.sum_square.size());
            double worst = 0;
            for (size_t j = 0; j < mine.sum_square.size(); j++)
                worst = std::max(worst, std::abs(static_cast<double>(mine.sum_square[j] / theirs.sum_square[j]) - 1));
            CHECK(worst < 1e-4);
        }
    }
}

TEST_CASE("what a walk stores are the moments of the inputs that a sink sees") {
    const Fixture f;
    const Source source(f.model);
    MomentStore store(f.folder / "store");
    gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, store, {});
    for (const char* name : {"blk.0.attn_output.weight", "blk.1.ffn_up.weight", "blk.1.ffn_down.weight"}) {
        CAPTURE(name);
        const Matrix x = inputs_of(f, source.as_stored(), name);
        REQUIRE(x.rows() == 60);
        const Matrix h = store.get(name).of(0, 0);
        CHECK(distance(h, x, 0) < 1e-5 * static_cast<double>(h.diagonal().maxCoeff()));
    }
}

TEST_CASE("query, key and value share one file of moments, gate and up another") {
    const Fixture f;
    const Source source(f.model);
    MomentStore store(f.folder / "store");
    gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, store, {});
    // Per layer the inputs of attention, its output, feed-forward and down; and what enters the output.
    int n_files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(f.folder / "store"))
        n_files += entry.path().extension() == ".moments" ? 1 : 0;
    CHECK(n_files == 2 * 4 + 1);
    for (const auto& [a, b] :
         {std::pair{"attn_q", "attn_k"}, std::pair{"attn_q", "attn_v"}, std::pair{"ffn_gate", "ffn_up"}})
        CHECK(store.get(std::string("blk.1.") + a + ".weight").of(0, 0) ==
              store.get(std::string("blk.1.") + b + ".weight").of(0, 0));
    CHECK_FALSE(store.get("blk.1.attn_q.weight").of(0, 0) == store.get("blk.1.ffn_up.weight").of(0, 0));
}

TEST_CASE("a tied embedding's moment is of what enters the output, nothing else") {
    const Fixture f;
    const Source source(f.model);
    MomentStore store(f.folder / "store");
    gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, store, {});
    REQUIRE(store.has("token_embd.weight"));

    // By the formula: the last layer's output, normed. The segment without head gives it.
    const int64_t n = f.model.n_embd;
    const Tensor& norm_tensor = *f.model.find("output_norm.weight");
    Matrix norm(1, n);
    source.rows(norm_tensor, 0, 1, norm.data());
    Segment both(f.model, {0, 1, false, false}, source.as_stored(), {20, 1});
    Matrix x(60, n);
    int64_t t = 0;
    const HiddenStates states = enter(f.model, source.as_stored(), f.chunks);
    for (size_t c = 0; c < states.size(); c++) {
        const std::span<const float> out = both.run({{}, states[c]});
        for (size_t row = 0; row < out.size(); row += static_cast<size_t>(n), t++) {
            double square = 0;
            for (int64_t j = 0; j < n; j++) square += std::pow(out[row + static_cast<size_t>(j)], 2);
            const double scale = 1 / std::sqrt(square / static_cast<double>(n) + 1e-6);
            for (int64_t j = 0; j < n; j++)
                x(t, j) =
                    static_cast<float>(static_cast<double>(out[row + static_cast<size_t>(j)] * norm(0, j)) * scale);
        }
    }
    REQUIRE(t == 60);
    const Moments moments = store.get("token_embd.weight");
    CHECK(moments.n_tokens(0) == 60);
    CHECK(distance(moments.of(0, 0), x, 0) < 1e-4 * static_cast<double>(moments.of(0, 0).diagonal().maxCoeff()));
}

TEST_CASE("what the store has is not gathered again, not even from other chunks") {
    const Fixture f;
    const Source source(f.model);
    MomentStore store(f.folder / "store");
    const Calibration first = gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, store, {});
    const auto written = std::filesystem::last_write_time(f.folder / "store" / "blk.1.attn_q.weight.moments");
    Chunks others = f.chunks;
    for (auto& chunk : others) std::reverse(chunk.begin(), chunk.end());
    MomentStore again(f.folder / "store");
    const Calibration second = gather_moments(f.model, source.as_stored(), others, 20, 1, again, {});
    CHECK(std::filesystem::last_write_time(f.folder / "store" / "blk.1.attn_q.weight.moments") == written);
    REQUIRE(second.tensors.size() == first.tensors.size());
    for (size_t i = 0; i < first.tensors.size(); i++)
        CHECK(second.tensors[i].sum_square == first.tensors[i].sum_square);
}

TEST_CASE("a walk that was stopped goes on with the inputs that are missing, and gives the same") {
    const Fixture f;
    const Source source(f.model);
    MomentStore whole(f.folder / "whole"), part(f.folder / "part");
    const Calibration expected = gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, whole, {});
    part.put({"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight"}, whole.get("blk.0.attn_q.weight"));
    part.put({"blk.1.ffn_down.weight"}, whole.get("blk.1.ffn_down.weight"));
    const Calibration resumed = gather_moments(f.model, source.as_stored(), f.chunks, 20, 1, part, {});
    REQUIRE(resumed.tensors.size() == expected.tensors.size());
    for (size_t i = 0; i < expected.tensors.size(); i++) {
        CAPTURE(expected.tensors[i].tensor);
        CHECK(resumed.tensors[i].sum_square == expected.tensors[i].sum_square);
        CHECK(part.get(expected.tensors[i].tensor).of(0, 0) == whole.get(expected.tensors[i].tensor).of(0, 0));
    }
}

TEST_CASE("a store says what it was gathered from once it is complete, also to who opens it later") {
    const TemporaryFolder folder;
    MomentStore store(folder / "store");
    store.put({"blk.0.attn_q.weight"}, moments_of(random_matrix(4, 8, 1), 1));
    CHECK_FALSE(MomentStore(folder / "store").of());
    store.complete({"source", "text", "mail.txt", 640, 64, {}});
    const MomentStore again(folder / "store");
    REQUIRE(again.of());
    CHECK(again.of()->source_sha256 == "source");
    CHECK(again.of()->text_name == "mail.txt");
    CHECK(again.of()->n_tokens == 640);
    CHECK(again.has("blk.0.attn_q.weight"));
}

TEST_CASE("an index that is none, or leads out of its folder, is refused") {
    const TemporaryFolder folder;
    for (const char* index : {"[]", "{", R"({"files": {"a": 1}})", R"({"files": {"a": "../../etc/passwd"}})"}) {
        CAPTURE(std::string(index));
        std::filesystem::create_directories(folder / "store");
        write_file(folder / "store" / "index.json", index);
        CHECK_THROWS_AS(MomentStore(folder / "store"), FormatError);
    }
}

TEST_CASE("narrower limits give narrower ranges, which the file remembers") {
    const TemporaryFolder folder;
    const Matrix x = random_matrix(3, 768, 3);
    Moments moments(768, 1, {256, 1 << 30, 1 << 30});
    moments.add(0, x.data(), x.rows(), 1);
    moments.finish();
    moments.write(folder / "m");
    const Moments back = Moments::read(folder / "m");
    REQUIRE(back.ranges().size() == 3);
    for (size_t r = 0; r < 3; r++) {
        CHECK(back.of(0, r) == moments.of(0, r));
        CHECK(distance(back.of(0, r), x, back.ranges()[r].first) < 2e-6);
    }
}

}  // namespace ech0
