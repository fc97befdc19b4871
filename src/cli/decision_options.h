#pragma once

#include <string>
#include <vector>

#include "cli/common.h"
#include "fit/fit.h"

namespace ech0 {

/// What fit and dashboard are told of machine and wishes.
struct DecisionArguments {
    FitConditions conditions;
    std::string machine = "this", prefer = "balanced";
    int64_t memory_bytes = 0, read_bytes_per_s = 0;
};

CLI::Option* add_models(CLI::App* command, std::vector<std::string>& models);  ///< MODEL…, required
void add_decision(CLI::App* command, DecisionArguments& arguments);

/// @throws UsageError for an unknown machine, and what contradicts it
FitConditions conditions_of(const DecisionArguments& arguments);

/// The options that would say the same again, those that are not as by default.
std::string words_of(const DecisionArguments& arguments);

}  // namespace ech0
