#include "kv/lossy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/sha256.h"
#include "calibrate/text.h"
#include "ech0/error.h"
#include "kv/attention.h"
#include "kv/layer_transform.h"
#include "kv/profile_calibration.h"
#include "kv/values.h"
#include "support/engine_state.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::span<uint8_t> as_bytes(std::string& text) { return {reinterpret_cast<uint8_t*>(text.data()), text.size()}; }

TinyModel shape_of(const std::string& architecture) {
    TinyModel shape;
    shape.architecture = architecture;
    shape.n_head = 2;
    shape.n_head_kv = 1;
    shape.n_embd_head = 64;  // the engine rotates quantized caches of such heads
    shape.n_embd = 128;      // qwen2 needs heads that fill it
    return shape;
}

KvProfile profile_of(const TinyModel& shape) {
    const TemporaryFolder folder;
    write_tiny_model(shape, folder.path() / "m.gguf");
    KvProfileOptions options;
    options.n_ctx = 48;
    options.n_chunks = 3;
    options.n_queries = 4;
    options.n_probe = 1;
    options.n_probe_next = 8;
    options.n_threads = 1;
    const CalibrationText text{embedded_calibration_text().text.substr(0, 6000), "some", "hash"};
    return calibrate_kv_profile(read_model((folder.path() / "m.gguf").string()), text, options, {});
}

// Made once: calibration takes a while even of a tiny model.
const KvProfile& llama_profile() {
    static const KvProfile profile = profile_of(shape_of("llama"));
    return profile;
}

EngineStateOptions cache_of(const std::string& architecture) {
    EngineStateOptions options;
    options.model = shape_of(architecture);
    options.n_tokens = 70;  // more than one run of rows
    return options;
}

struct Errors {
    double of_signal = 0;  // root of squared error over squared signal
};

Errors round_trip(const KvProfile& profile, const std::string& buffer, int32_t step) {
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    check_lossy(state, profile, "b");
    std::string restored = buffer;
    unpack_lossy(profile, state, pack_lossy(profile, state, as_bytes(buffer), step, 1), 1, as_bytes(restored));
    const KvHeads heads{profile.rope, profile.d_k, profile.d_v};
    double error = 0, signal = 0;
    for (int64_t l = 0; l < static_cast<int64_t>(profile.layers.size()); l++) {
        const KvLayerValues a = read_layer(state, as_bytes(buffer), heads, l),
                            b = read_layer(state, as_bytes(restored), heads, l);
        for (size_t i = 0; i < a.k.size(); i++) {
            error += std::pow(a.k[i] - b.k[i], 2) + std::pow(a.v[i] - b.v[i], 2);
            signal += std::pow(a.k[i], 2) + std::pow(a.v[i], 2);
        }
    }
    return {std::sqrt(error / signal)};
}

}  // namespace

TEST_CASE(
    "a lossy cache comes back nearer the finer its step, for norm and neox keys, F16 and q8_0, plain and transposed") {
    for (const char* architecture : {"llama", "qwen2"}) {
        const KvProfile profile =
            std::string(architecture) == "llama" ? llama_profile() : profile_of(shape_of(architecture));
        EngineStateOptions options = cache_of(architecture);
        for (int variant = 0; variant < 3; variant++) {
            options.flash_attention = variant != 2;
            options.type_k = options.type_v = variant == 1 ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
            const std::string buffer = make_engine_state(options).buffer;
            const double coarse = round_trip(profile, buffer, profile.step + 32).of_signal;
            const double fine = round_trip(profile, buffer, profile.step - 32).of_signal;
            const double finest = round_trip(profile, buffer, profile.step - 128).of_signal;
            INFO(architecture, " variant ", variant, ": ", coarse, " ", fine, " ", finest);
            CHECK(fine < coarse);
            CHECK(finest < fine);
            CHECK(finest < 0.02);
        }
    }
}

TEST_CASE("every coefficient of a lossy cache lies within its step of what it was") {
    const KvProfile& profile = llama_profile();
    const std::string buffer = make_engine_state(cache_of("llama")).buffer;
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    const KvHeads heads{profile.rope, profile.d_k, profile.d_v};
    const KvLayerValues values = read_layer(state, as_bytes(buffer), heads, 0);
    const std::vector<int8_t> exponents(70, 3);
    KvLayerValues decoded;
    quantize_layer(profile, 0, profile.step, values, exponents, {}, 1, decoded);
    const double step = std::exp2((profile.step + 4 * 3) / 16.0);
    double worst = 0;
    for (const bool is_value : {false, true}) {
        const KvBlock& block = (is_value ? profile.layers[0].v : profile.layers[0].k)[0];
        const std::vector<float>&x = is_value ? values.v : values.k, &y = is_value ? decoded.v : decoded.k;
        for (int64_t t = 0; t < 70; t++)
            for (int64_t j = 0; j < 64; j++) {
                double c = 0;
                for (int64_t i = 0; i < 64; i++) {
                    const auto at = static_cast<size_t>(t * 64 + i);
                    c += (x[at] - y[at]) * block.forward[static_cast<size_t>(i * 64 + j)];
                }
                worst = std::max(worst, std::abs(c) / step);
            }
    }
    CHECK(worst > 0.3);
    CHECK(worst < 0.57);  // half a step and the dead zone
}

TEST_CASE("a lossy cache has the same bytes, and gives the same bytes, with any number of threads") {
    const KvProfile& profile = llama_profile();
    const std::string buffer = make_engine_state(cache_of("llama")).buffer;
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    const LossyCache one = pack_lossy(profile, state, as_bytes(buffer), profile.step, 1);
    const LossyCache three = pack_lossy(profile, state, as_bytes(buffer), profile.step, 3);
    CHECK(one.layers == three.layers);
    std::string by_one = buffer, by_three = buffer;
    unpack_lossy(profile, state, one, 1, as_bytes(by_one));
    unpack_lossy(profile, state, one, 3, as_bytes(by_three));
    CHECK(by_one == by_three);
    CHECK(by_one != buffer);
}

TEST_CASE("a lossy cache meets a size and a divergence") {
    const KvProfile& profile = llama_profile();
    const std::string buffer = make_engine_state(cache_of("llama")).buffer;
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    const int64_t wanted = pack_lossy(profile, state, as_bytes(buffer), profile.step, 1).size_bytes();
    const LossyCache sized = pack_lossy_to_size(profile, state, as_bytes(buffer), wanted, 1);
    CHECK(sized.size_bytes() <= wanted);
    CHECK(sized.size_bytes() > wanted * 0.9);
    CHECK_THROWS_AS(pack_lossy_to_size(profile, state, as_bytes(buffer), 10, 1), UsageError);
    // A divergence that goes with the square of the error in the bytes' values.
    const KvHeads heads{profile.rope, profile.d_k, profile.d_v};
    const KvLayerValues before = read_layer(state, as_bytes(buffer), heads, 1);
    const auto measure = [&](std::span<const uint8_t> bytes) {
        const KvLayerValues after = read_layer(state, bytes, heads, 1);
        double sum = 0;
        for (size_t i = 0; i < after.v.size(); i++) sum += std::pow(after.v[i] - before.v[i], 2);
        return sum;
    };
    const auto divergence_of = [&](int32_t step) {
        std::string bytes = buffer;
        unpack_lossy(profile, state, pack_lossy(profile, state, as_bytes(buffer), step, 1), 1, as_bytes(bytes));
        return measure(as_bytes(bytes));
    };
    const double most = divergence_of(profile.step - 20);
    const LossyCache found = pack_lossy_to_divergence(profile, state, as_bytes(buffer), most, 1, measure);
    CHECK(divergence_of(found.step) <= most);
    CHECK(found.step > profile.step - 40);
    CHECK_THROWS_AS(pack_lossy_to_divergence(profile, state, as_bytes(buffer), 0, 1, [](auto) { return 1.0; }),
                    UsageError);
}

TEST_CASE("a cache that the profile does not know is refused by name") {
    const KvProfile& profile = llama_profile();
    const auto complaint = [&](EngineStateOptions options) {
        const std::string buffer = make_engine_state(options).buffer;
        try {
            check_lossy(read_kv_state(as_bytes(buffer), "b"), profile, "b");
        } catch (const UsageError& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    EngineStateOptions options = cache_of("llama");
    CHECK(complaint(options).empty());
    options.model.n_layer = 3;
    CHECK(complaint(options).find("3 layers") != std::string::npos);
    options.model.n_layer = 2;
    options.model.n_head_kv = 2;
    CHECK(complaint(options).find("128 and 128 numbers a token") != std::string::npos);
    options = cache_of("gemma3");
    options.model = TinyModel{};
    options.model.architecture = "gemma3";
    options.model.n_layer = 6;  // the sixth sees everything
    CHECK(complaint(options).find("no sliding windows") != std::string::npos);
}

TEST_CASE("a damaged layer of a lossy cache is named") {
    const KvProfile& profile = llama_profile();
    std::string buffer = make_engine_state(cache_of("llama")).buffer;
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    LossyCache cache = pack_lossy(profile, state, as_bytes(buffer), profile.step - 64, 1);
    cache.layers[1].resize(cache.layers[1].size() / 2);
    CHECK_THROWS_WITH_AS(unpack_lossy(profile, state, cache, 1, as_bytes(buffer)), doctest::Contains("layer 1"),
                         FormatError);
    cache.layers.pop_back();
    CHECK_THROWS_WITH_AS(unpack_lossy(profile, state, cache, 1, as_bytes(buffer)), doctest::Contains("1 layers"),
                         FormatError);
}

TEST_CASE("a KV profile is read as it was written, and damage to it is noticed") {
    const std::string bytes = serialized(llama_profile());
    const KvProfile read = parse_kv_profile(bytes, "p");
    CHECK(serialized(read) == bytes);
    const std::string buffer = make_engine_state(cache_of("llama")).buffer;
    const KvState state = read_kv_state(as_bytes(buffer), "b");
    CHECK(pack_lossy(read, state, as_bytes(buffer), read.step, 1).layers ==
          pack_lossy(llama_profile(), state, as_bytes(buffer), read.step, 1).layers);
    for (size_t at = 0; at < bytes.size(); at += bytes.size() / 60) {
        CHECK_THROWS_AS(parse_kv_profile(bytes.substr(0, at), "p"), FormatError);
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        CHECK_THROWS_AS(parse_kv_profile(damaged, "p"), FormatError);
    }
}

namespace {

/// The profile's bytes with the hash of what they are now.
std::string sealed(std::string bytes) {
    bytes.resize(bytes.size() - 64);
    return bytes + sha256(bytes);
}

/// The text (a length, then bytes) behind this list cut to half.
std::string with_half_the_text_behind(const std::string& bytes, std::span<const int16_t> list) {
    std::string cut = bytes;
    const std::string needle(reinterpret_cast<const char*>(list.data()), list.size_bytes());
    const size_t at = cut.find(needle) + needle.size();
    uint64_t n = 0;
    std::memcpy(&n, cut.data() + at, sizeof n);
    cut.erase(at + sizeof n + n / 2, n - n / 2);
    n /= 2;
    std::memcpy(cut.data() + at, &n, sizeof n);
    return sealed(cut);
}

}  // namespace

TEST_CASE("a KV profile whose hash is right but whose matrices are not is refused by what is wrong") {
    const std::string bytes = serialized(llama_profile());
    CHECK_THROWS_WITH_AS(
        parse_kv_profile(with_half_the_text_behind(bytes, llama_profile().layers[1].v[0].log_weight), "p"),
        doctest::Contains("weights that end too early"), FormatError);
    CHECK_THROWS_WITH_AS(parse_kv_profile(with_half_the_text_behind(bytes, llama_profile().layers[1].log_query), "p"),
                         doctest::Contains("queries that end too early"), FormatError);
    KvProfile flat = llama_profile();
    std::fill_n(flat.layers[1].k[0].inverse.begin(), 64, 0.0F);
    CHECK_THROWS_WITH_AS(parse_kv_profile(serialized(flat), "p"), doctest::Contains("no inverse"), FormatError);
    KvProfile fewer = llama_profile();
    fewer.layers[1].log_query.pop_back();
    CHECK_THROWS_WITH_AS(parse_kv_profile(serialized(fewer), "p"), doctest::Contains("other lengths"), FormatError);
}

TEST_CASE("a layer is predicted from the two before it and from its heads so far") {
    KvProfile profile;
    profile.d_k = 2;
    profile.d_v = 1;
    profile.layers.resize(4);
    for (KvLayerProfile& layer : profile.layers) layer.n_head_kv = 2;
    CHECK(n_features(profile, 0, false, 0) == 0);
    CHECK(n_features(profile, 0, true, 1) == 2 * 2 + 1);
    CHECK(n_features(profile, 1, false, 0) == 2 * 3);
    CHECK(n_features(profile, 2, false, 1) == 4 * 3 + 2);
    CHECK(n_features(profile, 3, true, 1) == 4 * 3 + 2 * 2 + 1);
    const KvLayerValues before{{1, 2, 3, 4}, {5, 6}}, earlier{{7, 8, 9, 10}, {11, 12}},
        here{{13, 14, 15, 16}, {17, 18}};
    std::vector<float> out(18);
    gather_features(profile, 3, true, 1, 0, {&before, &earlier}, here, out.data());
    CHECK(out == std::vector<float>{1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
    profile.d_k = profile.d_v = 512;  // wide: only heads of the same index
    profile.layers[1].n_head_kv = 1;
    CHECK(n_features(profile, 3, true, 1) == 1024 + 512);
    CHECK(n_features(profile, 3, false, 0) == 2 * 1024);
}

TEST_CASE("the matrices that a profile does not keep follow from those it keeps") {
    const KvProfile& profile = llama_profile();
    const KvBlock& block = profile.layers[1].v[0];
    const int64_t n_feature = 1 + n_features(profile, 1, true, 0);
    REQUIRE(block.weights.size() == static_cast<size_t>(n_feature * 64));
    double worst = 0;
    for (int64_t i = 0; i < n_feature; i++)
        for (int64_t j = 0; j < 64; j++) {
            double sum = 0;
            for (int64_t m = 0; m < 64; m++)
                sum += block.weights[static_cast<size_t>(i * 64 + m)] *
                       std::exp2(block.log_weight[static_cast<size_t>(i)] / 16.0) *
                       block.inverse[static_cast<size_t>(m * 64 + j)];
            worst = std::max(worst, std::abs(sum - block.predict[static_cast<size_t>(i * 64 + j)]));
        }
    CHECK(worst < 1e-5);
    double off = 0;
    for (int64_t i = 0; i < 64; i++)
        for (int64_t j = 0; j < 64; j++) {
            double sum = 0;
            for (int64_t m = 0; m < 64; m++)
                sum += double{block.forward[static_cast<size_t>(i * 64 + m)]} *
                       block.inverse[static_cast<size_t>(m * 64 + j)];
            off = std::max(off, std::abs(sum - (i == j ? 1 : 0)));
        }
    CHECK(off < 1e-3);
}

TEST_CASE("keys turned forward and back are what they were, and turn as the engine turns them") {
    Rope rope;
    rope.n_rot = 4;
    rope.base = 100;
    for (const Rope::Kind kind : {Rope::Kind::norm, Rope::Kind::neox}) {
        rope.kind = kind;
        std::vector<float> x = {1, 2, 3, 4, 5, 6};
        const std::vector<float> before = x;
        turn(rope, std::vector<int32_t>{7}, 1, 6, false, x.data());
        const size_t partner = kind == Rope::Kind::norm ? 1 : 2;
        CHECK(x[0] == doctest::Approx(1 * std::cos(7.0) - before[partner] * std::sin(7.0)));
        CHECK(x[partner] == doctest::Approx(1 * std::sin(7.0) + before[partner] * std::cos(7.0)));
        CHECK(x[3] == doctest::Approx(before[kind == Rope::Kind::norm ? 2 : 1] * std::sin(0.7) + 4 * std::cos(0.7)));
        CHECK(x[4] == 5);
        turn(rope, std::vector<int32_t>{7}, 1, 6, true, x.data());
        for (size_t i = 0; i < x.size(); i++) CHECK(x[i] == doctest::Approx(before[i]));
    }
}

TEST_CASE("the Hadamard rotation is its own inverse and the matrix of the engine") {
    std::vector<float> x(64, 0);
    x[3] = 1;
    hadamard(64, x);
    for (size_t i = 0; i < 64; i++)
        CHECK(x[i] == doctest::Approx((__builtin_popcount(static_cast<unsigned>(i & 3)) % 2 == 0 ? 1 : -1) / 8.0));
    hadamard(64, x);
    CHECK(x[3] == doctest::Approx(1));
    CHECK(hadamard_size(GGML_TYPE_Q8_0, 256, true) == 256);
    CHECK(hadamard_size(GGML_TYPE_Q8_0, 192, true) == 64);
    CHECK(hadamard_size(GGML_TYPE_Q8_0, 256, false) == 64);
    CHECK(hadamard_size(GGML_TYPE_F16, 64, true) == 0);
    CHECK(hadamard_size(GGML_TYPE_Q8_0, 80, true) == 0);
}

TEST_CASE("attention that is foreseen gives finer steps, within bounds") {
    const std::vector<int8_t> e = exponents_of(std::vector<float>{1, 4, 0.25F, 0}, 1);
    CHECK(e[0] == 0);
    CHECK(e[1] == -4);
    CHECK(e[2] == 4);
    CHECK(e[3] > 8);
    CHECK(e[3] < max_exponent);
}
