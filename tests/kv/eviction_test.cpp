#include "kv/eviction.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/file.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "kv/kept_forgetting.h"
#include "kv/kept_profile.h"
#include "kv/state.h"
#include "kv/values.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"
#include "support/complaint.h"
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

/// A tiny model with its profile, and a session that read some tokens.
struct Reader {
    TemporaryFolder folder;
    TemporaryVariable cache{"ECH0_CACHE", (folder / "cache").string()};
    Model model;
    KvProfile profile;
    std::vector<int32_t> tokens;

    explicit Reader(int64_t n_ctx_train = 256) {
        TinyModel tiny = shape();
        tiny.n_ctx_train = n_ctx_train;
        write_tiny_model(tiny, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
        KvProfileOptions options;
        options.n_ctx = 128;
        options.n_chunks = 3;
        options.n_threads = 1;
        profile = kv_profile_of(model, options, false, {}).profile;
        CHECK_FALSE(kv_profile_of(model, options, false, {}).made_now);
        for (int32_t i = 0; i < 60; i++) tokens.push_back(20 + i % 17);
    }
    Session session(int64_t n_ctx = 256) const {
        SessionOptions options;
        options.n_ctx = n_ctx;
        options.n_threads = 1;
        return {model, options};
    }
    void read(Session& session) const { session.decode(tokens, std::ssize(tokens)); }
};

std::vector<float> logits_after(Session& session, const std::vector<int32_t>& next) {
    const std::span<const float> logits = session.decode(next, 0);
    return {logits.begin(), logits.end()};
}

Kept positions(const Session& session) {
    const std::string state = session.state();
    const std::vector<int32_t> pos = positions_of(read_kv_state(bytes_of(state), "a cache"));
    Kept sorted(pos.begin(), pos.end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

void put_measurement(const Reader& reader, int64_t n_ctx, std::vector<KeepResult> results) {
    KeepReport report;
    report.engine = engine_description();
    report.n_ctx = n_ctx;
    report.results = std::move(results);
    keep(report, reader.model);
}

KeepResult result(KeepPolicy policy, int64_t n_keep, double kl, bool holds) {
    KeepResult result;
    result.policy = policy;
    result.n_keep = n_keep;
    result.kl_divergence.mean = kl;
    result.n_facts = 10, result.n_preferred = 7;
    result.holds = holds;
    return result;
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
    const Reader reader;
    Session session = reader.session();
    const std::vector<int32_t> next = {30, 31, 32};
    const auto read_on = [&](int64_t n_keep) {
        session.truncate(0);
        reader.read(session);
        CHECK(keep_in_cache(session, reader.profile, {n_keep, KeepPolicy::expected, 1}) ==
              std::min<int64_t>(60, n_keep));
        CHECK(session.n_past() == 60);  // positions stay
        CHECK(session.n_cells() == std::min<int64_t>(60, n_keep));
        return logits_after(session, next);
    };
    reader.read(session);
    const std::vector<float> whole = logits_after(session, next);
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

TEST_CASE("eviction: cells that are used again do not make old tokens look new") {
    const Reader reader;
    Session session = reader.session();
    reader.read(session);
    for (const KeepPolicy policy : {KeepPolicy::recent, KeepPolicy::expected}) {
        CAPTURE(keep_policy_name(policy));
        keep_in_cache(session, reader.profile, {20, policy, 1});
        reader.read(session);  // some of these tokens lie before older ones
        const int64_t n = session.n_past();
        keep_in_cache(session, reader.profile, {20, policy, 1});
        const Kept kept = positions(session);
        REQUIRE(kept.size() == 20);
        CHECK(Kept(kept.begin(), kept.begin() + 4) == Kept{0, 1, 2, 3});
        CHECK(Kept(kept.end() - 8, kept.end()) == Kept{n - 8, n - 7, n - 6, n - 5, n - 4, n - 3, n - 2, n - 1});
    }
}

TEST_CASE("a session that forgets has room for more than its context, and goes back behind its gaps") {
    const Reader reader(4096);
    Session session = reader.session(), fresh = reader.session();
    for (int turn = 0; turn < 12; turn++) {  // 720 tokens through 256 cells
        reader.read(session);
        if (session.n_cells() > 180) session.forget(10, session.n_past() - 60);
        CHECK(session.n_cells() == std::ssize(positions(session)));
    }
    CHECK(session.n_past() == 720);
    CHECK(session.n_cells() == 70);
    CHECK_FALSE(session.shift(4, 4));
    CHECK(complaint([&] { session.forget(700, 721); }) == "positions 700 to 721 of 720 can't be forgotten");
    CHECK(complaint([&] { session.forget(5, 5); }) == "positions 5 to 5 of 720 can't be forgotten");
    CHECK(complaint([&] { session.decode(std::vector<int32_t>(187, 9), 0); }) ==
          "187 tokens after 70 do not fit a context of 256; use a larger --ctx");
    session.truncate(400);  // in the gap
    CHECK(session.n_past() == 10);
    CHECK(session.n_cells() == 10);
    fresh.decode(std::span(reader.tokens).first(10), 10);
    CHECK(logits_after(session, {30, 31}) == logits_after(fresh, {30, 31}));
    session.forget(2, 4), session.forget(7, 9), session.forget(3, 8);  // one gap in the end
    CHECK(session.n_cells() == 5);
    session.forget(10, 12);  // the end is no gap: the next token stands there again
    CHECK(session.n_past() == 10);
    session.truncate(0);
    CHECK(session.n_cells() == 0);
}

TEST_CASE("chat forgets as was measured to hold with as many tokens or fewer, and says what else to do") {
    const Reader reader;
    const auto refused = [&](int64_t n_keep) {
        return complaint([&] { measured_keeping(reader.model, 1024, n_keep, {}); });
    };
    CHECK(refused(512).find("was not measured: 'ech0 kv keep") != std::string::npos);
    CHECK(refused(512).ends_with("--ctx 1024 --keep 512'"));
    CHECK(refused(897) == "--kv-keep 897: at most 896 of 1024 tokens, so that an eighth is free afterwards");
    put_measurement(reader, 1024,
                    {result(KeepPolicy::recent, 256, 0.2, false), result(KeepPolicy::expected, 256, 0.1, false),
                     result(KeepPolicy::recent, 512, 0.03, true), result(KeepPolicy::expected, 512, 0.04, true)});
    CHECK(refused(256) ==
          "--kv-keep 256: it does not hold with this model and 1024 tokens of context (measured: KL divergence 0.100, "
          "7 of 10 facts preferred): keep more, or leave it out");
    CHECK(refused(300).find("was not measured") != std::string::npos);
    const KeepOptions options = measured_keeping(reader.model, 1024, 600, {});
    CHECK(options.n_keep == 600);
    CHECK(options.policy == KeepPolicy::recent);
    CHECK(complaint([&] { measured_keeping(reader.model, 2048, 600, {}); }).find("was not measured") !=
          std::string::npos);
    const std::filesystem::path kept =
        reader.folder / "cache/kv-keeps" / cached_sha256_of_file(reader.model.files.front()) / "1024.json";
    nlohmann::json other = nlohmann::json::parse(read_file(kept));
    other["engine"] = "another";
    write_file(kept, other.dump());
    CHECK(refused(512).find("was not measured") != std::string::npos);
    write_file(kept, "{");
    CHECK(refused(512).find("was not measured") != std::string::npos);
}
