#pragma once

// A number that somebody gave for a model, held against the facts. Small numbers are had by many facts by chance ("12
// feed-forward layers" where there are 12 heads), so in running text they count only beside a word of the fact.

#include <string>
#include <string_view>
#include <vector>

#include "surgeon/brief.h"

namespace ech0 {

enum class Finding {
    confirmed,    ///< the number of that fact, as far as it was written
    wrong,        ///< a fact by that name has another number
    unsupported,  ///< no fact has this number
};
std::string_view finding_name(Finding finding);

struct Claim {
    std::string fact;    ///< that it is of; empty: none
    std::string number;  ///< as written, without separators of thousands
    Finding finding = Finding::unsupported;
};

/// @param number  as written; confirmed if the fact rounds to it at as many digits, plain or in thousands, millions,
/// billions
Finding check_claim(const Brief& brief, const std::string& fact, const std::string& number);

/// Every number in running text. Behind a fact's name ("n_layer = 32") it is held against that fact; else it is
/// confirmed by a fact that has it, if it has three digits of its own or a word of that fact stands beside it, and by
/// one that speaks of it ("removing 10 %"). Digits within names (Q4_K, the model's own) are no numbers.
std::vector<Claim> check_words(const Brief& brief, const std::string& words);

}  // namespace ech0
