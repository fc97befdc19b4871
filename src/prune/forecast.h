#pragma once

// What a cut will cost, before it is made. Single removals, each measured alone, add up to too little: the parts that
// stay were relied on by more than one of those that go. So parts of the cut are tried on the way to it, each measured
// as a whole, and what they cost above their sum is carried on to all of it.

#include <span>

namespace ech0 {

/// A part of a cut, tried on the way; KL divergences in nats per token.
struct CutCheck {
    double added_up = 0;  ///< sum of its single removals
    double expected = 0;  ///< by the checks before it; the first one: the sum itself
    double kl = 0;        ///< measured, all of it gone at once
};

/// KL divergence grows as a power of the sum of single removals, fitted through the last two checks; one check alone
/// gives a factor, none leaves the sum.
/// @param checks  ascending; those that cost nothing say nothing
double forecast_kl(std::span<const CutCheck> checks, double added_up);

}  // namespace ech0
