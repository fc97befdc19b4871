#pragma once

// A model's opinion of a model. Five questions are put to an analyst with the brief of facts; a grammar makes it answer
// in JSON: words, and claims that name a fact and a number. Every claim is held against the facts, and so is every
// number in the words. What the analyst says is shown beside the measurements and never enters a plan.

#include <functional>
#include <string>
#include <vector>

#include "ech0/session.h"
#include "surgeon/brief.h"

namespace ech0 {

enum class Finding {
    confirmed,    ///< the number of that fact, as far as it was written
    wrong,        ///< a fact by that name has another number
    unsupported,  ///< no fact has this number
};
std::string_view finding_name(Finding finding);

/// A number that the analyst gave.
struct Claim {
    std::string fact;  ///< the name it gave; empty: a number in its words
    std::string number;
    Finding finding = Finding::unsupported;
};

struct Opinion {
    std::string question, title, answer;
    std::vector<Claim> claims;
    bool complete = true;  ///< false: the answer broke off
};

/// @param number  as written; confirmed if the fact rounds to it at as many digits, plain or in thousands, millions,
/// billions
Finding check_claim(const Brief& brief, const std::string& fact, const std::string& number);

/// Every number in the words: behind a fact's name ("n_layer = 32") held against that fact, else against all of them.
/// Digits within a name (Q4_K) are no numbers.
std::vector<Claim> check_words(const Brief& brief, const std::string& words);

/// Ask the five questions: architecture, targets, plan, feasibility, recommendation.
/// @param on_question  told before each one
/// @throws EngineError, UsageError (no chat template), Interrupted
std::vector<Opinion> ask_surgeon(const Model& analyst, const SessionOptions& session, const Brief& brief,
                                 const std::function<void(const std::string& title)>& on_question);

}  // namespace ech0
