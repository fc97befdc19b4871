#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "prune/prune.h"

namespace ech0 {

/// One measured or computed number about the patient, with the name it is asked for by.
struct Fact {
    std::string name;  ///< "n_layer", "kl_remove_20_percent", …
    double value = 0;
    std::string says;   ///< in words, with its unit
    std::string grade;  ///< "computed" from the file, "measured" here, "predicted" from measurements
};

/// What is known of a model before anybody has an opinion.
struct Brief {
    std::string model;
    std::string architecture;
    int64_t budget_bytes = 0;  ///< of the machine, for weights, cache and buffers
    std::vector<Fact> facts;

    const Fact* find(const std::string& name) const;
};

/// @param outlooks  what removals would cost (outlook_of); empty: not measured
/// @param budget_bytes  of this machine
Brief make_brief(const Model& model, const std::vector<PruneOutlook>& outlooks, int64_t budget_bytes);

/// Counts in full, other numbers with six digits.
std::string value_text(const Fact& fact);

/// The facts as lines of text, for the analyst.
std::string brief_text(const Brief& brief);

}  // namespace ech0
