#pragma once

#include <string_view>

namespace ech0 {

/// Share of the evaluation text's 13-word sequences that also stand in the calibration text: 0 = nothing was learned
/// by heart, 1 = the same text. Words are runs of letters and digits without regard to case (a Chinese or Japanese
/// character is a word of its own); 13 as in Brown et al. 2020, "Language models are few-shot learners", appendix C.
/// 0 if the evaluation text has fewer than 13 words.
double overlap(std::string_view evaluation, std::string_view calibration);

}  // namespace ech0
