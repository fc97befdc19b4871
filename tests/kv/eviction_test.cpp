#include "kv/eviction.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "ech0/error.h"
#include "kv/kept_profile.h"
#include "runtime/divergence.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

using Kept = std::vector<int64_t>;

TinyModel shape() {
    TinyModel tiny;
    tiny.n_embd = 128, tiny.n_head = 2, tiny.n_head_kv = 1, tiny.n_embd_head = 64;
    return tiny;
}

}  // namespace

TEST_CASE("eviction: recent keeps the first four and the last") {
    CHECK(tokens_to_keep(20, {}, {8, KeepPolicy::recent}) == Kept{0, 1, 2, 3, 16, 17, 18, 19});
    CHECK(tokens_to_keep(8, {}, {8, KeepPolicy::recent}) == Kept{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK_THROWS_WITH_AS(tokens_to_keep(20, {}, {7, KeepPolicy::recent}), "7 tokens to keep, wanted at least 8",
                         UsageError);
}

TEST_CASE("eviction: expected keeps what is worth most between, and its neighbours") {
    std::vector<float> scores(40, 0.0F);
    scores[20] = 5;
    scores[1] = 100;   // a sink, kept anyway
    scores[39] = 100;  // the last, kept anyway
    const Kept kept = tokens_to_keep(40, scores, {18, KeepPolicy::expected});
    CHECK(kept.size() == 18);
    CHECK(std::is_sorted(kept.begin(), kept.end()));
    for (const int64_t i : {0, 1, 2, 3, 17, 18, 19, 20, 21, 22, 23, 33, 34, 39})
        CHECK(std::find(kept.begin(), kept.end(), i) != kept.end());
    CHECK(std::find(kept.begin(), kept.end(), 30) == kept.end());
}

TEST_CASE("eviction: a session goes on with fewer tokens, and with all of them as if nothing had been") {
    const TemporaryFolder folder;
    write_tiny_model(shape(), folder / "m.gguf");
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    const Model model = read_model((folder / "m.gguf").string());
    KvProfileOptions profile_options;
    profile_options.n_ctx = 128;
    profile_options.n_chunks = 3;
    profile_options.n_threads = 1;
    const KvProfile profile = kv_profile_of(model, profile_options, false, {}).profile;
    CHECK_FALSE(kv_profile_of(model, profile_options, false, {}).made_now);

    SessionOptions options;
    options.n_ctx = 128;
    options.n_threads = 1;
    Session session(model, options);
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < 60; i++) tokens.push_back(20 + i % 17);
    const std::vector<int32_t> next = {30, 31, 32};
    const auto read_on = [&](int64_t n_keep) {
        session.truncate(0);
        session.decode(tokens, 60);
        CHECK(keep_in_cache(session, profile, {n_keep, KeepPolicy::expected, 1}) == std::min<int64_t>(60, n_keep));
        CHECK(session.n_past() == 60);  // positions stay
        const std::span<const float> logits = session.decode(next, 0);
        return std::vector<float>(logits.begin(), logits.end());
    };
    session.decode(tokens, 60);
    const std::span<const float> logits = session.decode(next, 0);
    const std::vector<float> whole(logits.begin(), logits.end());
    const auto divergence = [&](const std::vector<float>& other) {
        double kl = 0;
        for (const Score& score : compare(whole, other, next, 1)) kl += score.kl_divergence;
        return kl;
    };
    CHECK(divergence(read_on(100)) == doctest::Approx(0));
    const double half = divergence(read_on(40)), little = divergence(read_on(12));
    CHECK(half > 0);
    CHECK(little > 0);
}
