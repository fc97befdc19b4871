#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "report/json.h"
#include "report/look.h"

namespace ech0 {

/// The proof that a run carries: a verify/1 itself, or that of compress/1, optimize/1, demo/1. Nothing if it has none.
std::optional<Evidence> evidence_of(const Json& run);

/// Why the figures of two proofs may not be held against each other, in sentences; none if they may: the same original,
/// text, chunks, context and engine.
std::vector<std::string> why_not_comparable(const Evidence& a, const Evidence& b);

/// KL divergence, agreement and perplexity of every candidate of both, with the difference of each pair and its 95 %
/// interval. The tokens' own values are not in a report, so the two are taken as independent: wider than the paired
/// interval of one `ech0 verify` of both.
/// @param a, b  comparable
std::string difference_text(const Evidence& a, const Evidence& b, const Look& look);

}  // namespace ech0
