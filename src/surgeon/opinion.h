#pragma once

// A model's opinion of a model. Five questions are put to an analyst with the brief of facts; a grammar makes it answer
// in JSON: words, and claims that name a fact and a number. Every claim is held against the facts, and so is every
// number in the words. What the analyst says is shown beside the measurements and never enters a plan.

#include <functional>
#include <string>
#include <vector>

#include "ech0/session.h"
#include "surgeon/brief.h"
#include "surgeon/claim.h"

namespace ech0 {

struct Opinion {
    std::string question, title, answer;
    std::vector<Claim> claims;
    bool complete = true;  ///< false: the answer broke off
};

/// What an analyst answered, every number of it held against the facts.
/// @param text  JSON with "answer" and "claims" as the grammar has it, or the beginning of it
Opinion read_opinion(const Brief& brief, const std::string& text);

/// Ask the five questions: architecture, targets, plan, feasibility, recommendation.
/// @param on_question  told before each one
/// @throws EngineError, UsageError (no chat template), Interrupted
std::vector<Opinion> ask_surgeon(const Model& analyst, const SessionOptions& session, const Brief& brief,
                                 const std::function<void(const std::string& title)>& on_question);

}  // namespace ech0
