#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ech0/evidence.h"
#include "ech0/session.h"

namespace ech0 {

// Can the model still find a fact that it read a while ago? Five facts ("The locker code of Tamiro Velsu is 40617.")
// are hidden in an ordinary text at 10, 30, 50, 70 and 90 % of its length; at the end the beginning of each sentence is
// repeated, and the model has to go on with the right number. A hit: every piece of it is the likeliest continuation.
// Preferred: the right number is likelier than those of the four other facts, which tells more of a model too small
// for many hits (guessing gives 20 %). Names and numbers are random, so nothing can be known beforehand, and the same
// contexts are put to every model. After Kamradt's "needle in a haystack" (2023) and the multi-key task of RULER (Hsieh
// et al. 2024), in a form that needs no instruction following, so that base models can take part.

struct Fact {
    std::string sentence_begin;  ///< "The locker code of Tamiro Velsu is"
    std::string value;           ///< "40617"
};

/// Reproducible on every platform: the same seed gives the same facts.
std::vector<Fact> make_facts(uint64_t seed, int64_t n_facts);

struct RetrievalOptions {
    int64_t n_ctx = 1024;  ///< tokens of context in all
    int64_t n_trials = 5;  ///< contexts, with other facts and another stretch of the text
    uint64_t seed = 1;
    std::function<void(Session&)> after_reading = {};  ///< what may be done to the cache before the questions
};

/// @param session  with room for options.n_ctx tokens
/// @param text  what the facts are hidden in; repeated if it is shorter than the context
/// @return one entry per depth
/// @throws UsageError if the session's context is too small for five facts and their questions
std::vector<Retrieval> measure_retrieval(Session& session, std::string_view text, const RetrievalOptions& options);

}  // namespace ech0
