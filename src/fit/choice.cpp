#include "fit/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace ech0 {
namespace {

// Losses nearer than this can't be told apart by a measurement of usual length (docs/quality.md: below 0.01 nats a
// difference of perplexities shows an order of magnitude).
constexpr double same_loss = 0.005;

std::string how_known(const std::map<std::string, Quality>& originals) {
    std::string words = "models are compared by expected perplexity, that of the original on WikiText-2 times e^KL:";
    for (const auto& [model, quality] : originals)
        words += fmt::format(" {} {:.2f} ({});", model, quality.perplexity_original, quality.source);
    words.back() = '.';
    return words;
}

/// What a rounded cache costs is in `loss` only where it was measured, so a smaller cache is no better, and a plain one
/// is never beaten by it.
bool beats(const FitOption& a, const FitOption& b) {
    if (a.kv_rank > b.kv_rank) return false;
    const auto no_worse = [](double x, double y) { return x <= y * (1 + 1e-9); };
    const double a_speed = a.speed.tokens_per_s.value, b_speed = b.speed.tokens_per_s.value;
    const auto a_bytes = static_cast<double>(a.memory.total_bytes()),
               b_bytes = static_cast<double>(b.memory.total_bytes());
    const bool nowhere_worse = a.loss <= b.loss + 1e-9 && no_worse(b_speed, a_speed) && no_worse(a_bytes, b_bytes);
    return nowhere_worse && (a.loss < b.loss - 1e-6 || a_speed > b_speed * 1.001 || a_bytes < b_bytes * 0.999);
}

bool same_file(const FitOption& a, const FitOption& b) { return a.model == b.model && a.preset == b.preset; }

/// Faster, or as fast and smaller. Names decide between equals, so that the order of the options never does.
bool faster(const FitOption& a, const FitOption& b) {
    const double a_speed = a.speed.tokens_per_s.value, b_speed = b.speed.tokens_per_s.value;
    if (a_speed != b_speed) return a_speed > b_speed;
    if (a.memory.total_bytes() != b.memory.total_bytes()) return a.memory.total_bytes() < b.memory.total_bytes();
    return a.name < b.name;
}

template <typename Wanted>
std::optional<size_t> fastest(const std::vector<FitOption>& options, const Wanted& wanted) {
    std::optional<size_t> found;
    for (size_t i = 0; i < options.size(); i++)
        if (wanted(options[i]) && (!found || faster(options[i], options[*found]))) found = i;
    return found;
}

/// The fastest of those whose loss can't be told from the least there is, each file with the cache that was asked for
/// first. From the least, not from neighbour to neighbour: many small steps would lead to a loss that can be told.
template <typename Wanted>
std::optional<size_t> closest(const std::vector<FitOption>& options, const Wanted& wanted) {
    const auto first_cache = [&](const FitOption& o) {
        return wanted(o) && std::none_of(options.begin(), options.end(), [&](const FitOption& other) {
                   return same_file(o, other) && other.kv_rank < o.kv_rank && wanted(other);
               });
    };
    double least = std::numeric_limits<double>::infinity();
    for (const FitOption& o : options)
        if (first_cache(o)) least = std::min(least, o.loss);
    return fastest(options, [&](const FitOption& o) { return o.loss <= least + same_loss && first_cache(o); });
}

}  // namespace

Levels compare_models(const std::vector<ComparedModel>& models) {
    std::map<std::string, Quality> originals;
    std::set<std::string> families;
    for (const ComparedModel& m : models) {
        originals[m.name] = original_perplexity(m.name, m.family, m.n_params);
        families.insert(m.family);
    }
    if (originals.size() < 2) return {std::vector<double>(models.size(), 0), ""};
    const bool published = families.size() == 1 && std::all_of(originals.begin(), originals.end(), [](const auto& o) {
                               return o.second.perplexity_original > 0;
                           });
    Levels levels;
    for (const ComparedModel& m : models)
        levels.of.push_back(published ? std::log(originals.at(m.name).perplexity_original)
                                      : ln_perplexity_by_size(m.n_params));
    levels.words = published ? how_known(originals)
                             : "models are compared by how perplexity falls with size in published families, which is "
                               "a guess for any one model: perplexities of different vocabularies can't be compared";
    return levels;
}

void mark_front(std::vector<FitOption>& options) {
    for (FitOption& option : options) {
        option.on_front = option.fits && std::none_of(options.begin(), options.end(), [&](const FitOption& other) {
                              return other.fits && &other != &option && beats(other, option);
                          });
    }
}

std::optional<size_t> choose(const std::vector<FitOption>& options, Prefer prefer, double min_tokens_per_s) {
    const auto usable = [&](const FitOption& o) { return o.fits && o.speed.tokens_per_s.value >= min_tokens_per_s; };
    const auto fast_enough = [&](const FitOption& o) {
        return usable(o) && o.speed.tokens_per_s.value >= reading_tokens_per_s;
    };
    const auto close = [&](const FitOption& o) { return usable(o) && o.quality.kl_divergence <= close_kl; };
    std::optional<size_t> found;
    if (prefer == Prefer::speed) found = fastest(options, close);
    if (prefer == Prefer::balanced) {
        found = closest(options, fast_enough);
        // Nothing reads along: then the fastest that is still itself.
        if (!found) found = fastest(options, close);
    }
    if (!found) found = closest(options, usable);
    if (!found) return found;
    // The same file with the cache that was asked for first, where that does as well.
    const bool reads_along = fast_enough(options[*found]);
    for (size_t i = 0; i < options.size(); i++) {
        const FitOption &o = options[i], &chosen = options[*found];
        if (same_file(o, chosen) && o.kv_rank < chosen.kv_rank && usable(o) && fast_enough(o) == reads_along) found = i;
    }
    return found;
}

}  // namespace ech0
