#include "machine/score_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/paths.h"
#include "ech0/error.h"
#include "machine/host.h"

namespace ech0 {
namespace {

using nlohmann::json;

json to_line(const Score& s) {
    return {{"kind", s.kind}, {"machine", s.machine},     {"model", s.model}, {"detail", s.detail},
            {"low", s.low},   {"predicted", s.predicted}, {"high", s.high},   {"measured", s.measured}};
}

Score from_line(const json& line) {
    return {line.at("kind"),      line.at("machine"), line.at("model"), line.at("detail"),
            line.at("predicted"), line.at("low"),     line.at("high"),  line.at("measured")};
}

std::vector<double> ratios(const std::vector<Score>& scores, std::string_view kind, std::string_view machine,
                           std::string_view model) {
    std::vector<double> result;
    for (const Score& s : scores)
        if (s.kind == kind && s.machine == machine && s.model == model && s.predicted > 0 && s.measured > 0)
            result.push_back(s.measured / s.predicted);
    std::sort(result.begin(), result.end());
    return result;
}

}  // namespace

std::filesystem::path score_file() { return cache_folder() / "scores.jsonl"; }

void append_scores(const std::vector<Score>& scores) {
    if (scores.empty()) return;
    std::filesystem::create_directories(score_file().parent_path());
    std::string lines;
    for (const Score& score : scores) lines += to_line(score).dump() + "\n";
    // One write to a file opened for appending: two processes do not tear each other's lines.
    const int file = ::open(score_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const bool written = file >= 0 && ::write(file, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
    if (file >= 0) ::close(file);
    if (!written) throw FileError(fmt::format("cannot write {}", score_file().string()));
}

std::vector<Score> read_scores() {
    std::vector<Score> scores;
    if (!std::filesystem::exists(score_file())) return scores;
    std::istringstream text(read_file(score_file()));
    for (std::string line; std::getline(text, line);) {
        try {
            scores.push_back(from_line(json::parse(line)));
        } catch (const json::exception&) {
            continue;
        }
    }
    return scores;
}

HitRate hit_rate(const std::vector<Score>& scores, std::string_view kind, std::string_view machine) {
    HitRate rate;
    for (const Score& s : scores) {
        if (s.kind != kind || !s.machine.starts_with(machine)) continue;
        rate.n++;
        rate.n_hits += s.hit();
    }
    return rate;
}

Correction correction(const std::vector<Score>& scores, std::string_view kind, std::string_view machine,
                      std::string_view model, double half_width) {
    const std::vector<double> all = ratios(scores, kind, machine, model);
    Correction result{1, half_width, static_cast<int64_t>(all.size())};
    if (result.n < least_scores) return result;
    result.factor = all[all.size() / 2];
    std::vector<double> away;
    for (const double ratio : all) away.push_back(std::abs(ratio / result.factor - 1));
    std::sort(away.begin(), away.end());
    result.half_width = away[static_cast<size_t>(0.9 * static_cast<double>(away.size() - 1) + 0.5)];
    return result;
}

std::string score_machine(int n_threads) { return fmt::format("{}, {} threads", processor_name(), n_threads); }

}  // namespace ech0
