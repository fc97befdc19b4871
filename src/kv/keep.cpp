#include "kv/keep.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "base/sha256.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"
#include "verify/interval.h"
#include "verify/retrieval.h"

namespace ech0 {
namespace {

// Where forgetting is as good as not: q4_0 caches cost about as much on small models (docs/results.md).
constexpr double most_kl = 0.05, most_lost = 0.1;

using Tokens = std::vector<int32_t>;

std::vector<Tokens> stretches(const Session& session, const std::string& text, int64_t n_read,
                              const KeepMeasureOptions& options) {
    const Tokens all = session.tokenize(text, false, false);
    const int64_t need = n_read + options.n_next + 1, n = static_cast<int64_t>(all.size());
    if (n < need)
        throw UsageError(fmt::format(
            "the text has {} tokens, {} are needed: a longer --text, or a smaller --ctx or --rounds", n, need));
    const int64_t n_texts = std::min(options.n_texts, n / need);
    std::vector<Tokens> out;
    for (int64_t i = 0; i < n_texts; i++) {
        const int64_t at = n_texts > 1 ? (n - need) * i / (n_texts - 1) : 0;
        Tokens tokens(all.begin() + at, all.begin() + at + need);
        if (session.adds_bos()) tokens.front() = session.bos();
        out.push_back(std::move(tokens));
    }
    return out;
}

struct Stretch {
    std::span<const int32_t> before, next, came;
};

Stretch parts_of(const Tokens& tokens, int64_t n_read) {
    const std::span<const int32_t> all = tokens;
    const auto n = static_cast<size_t>(n_read), m = tokens.size() - n - 1;
    return {all.first(n), all.subspan(n, m), all.subspan(n + 1, m)};
}

/// Read through a context of n_ctx tokens, which has room for more here.
void read_forgetting(Session& session, std::span<const int32_t> tokens, int64_t n_ctx,
                     const std::function<void()>& forget) {
    session.truncate(0);
    while (!tokens.empty()) {
        const size_t n = std::min(tokens.size(), static_cast<size_t>(n_ctx - session.n_cells()));
        session.decode(tokens.first(n), static_cast<int64_t>(n));
        tokens = tokens.subspan(n);
        forget();
    }
}

void score_reading(Session& session, const KvProfile& profile, const std::vector<Tokens>& texts,
                   const KeepMeasureOptions& options, const Progress& progress, std::vector<KeepResult>& results) {
    std::vector<std::vector<float>> kl(results.size()), same(results.size());
    for (size_t t = 0; t < texts.size(); t++) {
        const Stretch stretch = parts_of(texts[t], std::ssize(texts[t]) - options.n_next - 1);
        session.truncate(0);
        session.decode(stretch.before, std::ssize(stretch.before));
        const std::span<const float> logits = session.decode(stretch.next, 0);
        const std::vector<float> whole(logits.begin(), logits.end());
        for (size_t r = 0; r < results.size(); r++) {
            if (progress)
                progress("kv keep: read on", static_cast<int64_t>(t * results.size() + r),
                         static_cast<int64_t>(texts.size() * results.size()));
            read_forgetting(session, stretch.before, options.n_ctx, [&] {
                keep_in_cache(session, profile, {results[r].n_keep, results[r].policy, options.n_threads});
            });
            for (const Score& score : compare(whole, session.decode(stretch.next, 0), stretch.came, 1)) {
                kl[r].push_back(static_cast<float>(score.kl_divergence));
                same[r].push_back(score.same_top1 ? 1 : 0);
            }
        }
    }
    for (size_t r = 0; r < results.size(); r++) {
        results[r].kl_divergence = mean_with_interval(kl[r], static_cast<int64_t>(texts.size()));
        results[r].top1_agreement = share_with_interval(same[r], static_cast<int64_t>(texts.size()));
    }
}

struct Found {
    int64_t n_facts = 0, n_hits = 0, n_preferred = 0;
};

Found find_facts(Session& session, const std::string& text, const KeepMeasureOptions& options,
                 const std::function<void(Session&)>& after_reading) {
    RetrievalOptions retrieval;
    retrieval.n_ctx = options.n_ctx;
    retrieval.n_trials = options.n_trials;
    retrieval.after_reading = after_reading;
    Found found;
    for (const Retrieval& depth : measure_retrieval(session, text, retrieval)) {
        found.n_facts += depth.n_trials;
        found.n_hits += depth.n_hits;
        found.n_preferred += depth.n_preferred;
    }
    return found;
}

}  // namespace

KeepReport measure_keeping(const Model& model, const KvProfile& profile, const std::string& text,
                           const KeepMeasureOptions& options, const Progress& progress) {
    const auto begin = std::chrono::steady_clock::now();
    KeepReport report;
    report.model = model.asked;
    report.text_sha256 = sha256(text);
    report.engine = engine_description();
    report.n_ctx = options.n_ctx;
    report.n_read = options.n_ctx * std::clamp<int64_t>((model.n_ctx_train - options.n_next) / options.n_ctx, 1,
                                                        std::max<int64_t>(1, options.n_rounds));
    report.n_next = options.n_next;
    report.most_kl = most_kl;
    report.most_lost = most_lost;
    SessionOptions session_options;
    session_options.n_ctx = report.n_read + options.n_next + 64;
    session_options.n_threads = options.n_threads;
    Session session(model, session_options);
    for (const int64_t n : options.n_keep)
        for (const KeepPolicy policy : {KeepPolicy::recent, KeepPolicy::expected})
            report.results.push_back({.policy = policy, .n_keep = n});
    const std::vector<Tokens> texts = stretches(session, text, report.n_read, options);
    report.n_texts = static_cast<int64_t>(texts.size());
    score_reading(session, profile, texts, options, progress, report.results);
    const Found whole = find_facts(session, text, options, {});
    report.n_facts = whole.n_facts, report.n_hits = whole.n_hits, report.n_preferred = whole.n_preferred;
    for (KeepResult& result : report.results) {
        if (progress) progress("kv keep: ask for facts", &result - report.results.data(), std::ssize(report.results));
        const Found found = find_facts(session, text, options, [&](Session& here) {
            keep_in_cache(here, profile, {result.n_keep, result.policy, options.n_threads});
        });
        result.n_facts = found.n_facts, result.n_hits = found.n_hits, result.n_preferred = found.n_preferred;
        result.holds =
            result.kl_divergence.mean <= most_kl && static_cast<double>(whole.n_preferred - found.n_preferred) <=
                                                        most_lost * static_cast<double>(whole.n_facts);
    }
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return report;
}

}  // namespace ech0
