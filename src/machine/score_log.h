#pragma once

// The program keeps score of itself: each time something that was predicted is measured, both are written down, and
// `doctor` says how often the interval held. What was measured here also corrects the next prediction.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// A prediction that met its measurement.
struct Score {
    std::string kind;     ///< "tokens_per_s", "prompt_tokens_per_s", "memory_bytes"
    std::string machine;  ///< processor and threads: predictions for another one say nothing about this
    std::string model, detail;
    double predicted = 0, low = 0, high = 0;  ///< before any correction
    double measured = 0;

    bool hit() const { return measured >= low && measured <= high; }
};

/// The log, "scores.jsonl" in the cache folder, one JSON object a line.
std::filesystem::path score_file();

/// @throws FileError
void append_scores(const std::vector<Score>& scores);

/// All that were kept; lines that are damaged are passed over.
std::vector<Score> read_scores();

/// How often intervals of this kind held on machines whose name begins so.
struct HitRate {
    int64_t n = 0, n_hits = 0;
};
HitRate hit_rate(const std::vector<Score>& scores, std::string_view kind, std::string_view machine);

/// Measured over predicted of this model on this machine so far: the median, and the half-width that holds nine of ten
/// of them. With fewer than `least_scores` the median is 1 and the half-width the one given. Other models' scores don't
/// count: what is wrong for small matrices is right for large ones.
struct Correction {
    double factor = 1, half_width = 0;
    int64_t n = 0;
};
constexpr int64_t least_scores = 3;
Correction correction(const std::vector<Score>& scores, std::string_view kind, std::string_view machine,
                      std::string_view model, double half_width);

/// What scores of this machine are filed under.
std::string score_machine(int n_threads);

}  // namespace ech0
