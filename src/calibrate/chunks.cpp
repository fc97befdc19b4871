#include "calibrate/chunks.h"

#include <algorithm>

#include <fmt/format.h>

#include "ech0/error.h"
#include "runtime/tokenizer.h"

namespace ech0 {
namespace {

// An eighth of 120 KB is some 4,000 tokens: enough that a kind-wise change of plan shows above the noise
// (docs/results.md).
constexpr size_t selection_every = 8;

}  // namespace

CalibrationChunks cut_into_chunks(const Model& model, std::string_view text, int64_t n_ctx) {
    const Tokenizer tokenizer(model);
    const std::vector<int32_t> tokens = tokenizer.tokens(text);
    const bool bos = tokenizer.adds_bos() && tokenizer.bos() >= 0;
    CalibrationChunks chunks;
    chunks.n_ctx = n_ctx;
    const auto length = static_cast<size_t>(n_ctx);
    size_t index = 0;
    for (size_t at = 0; at + length <= tokens.size(); at += length, index++) {
        std::vector<int32_t> chunk(tokens.begin() + static_cast<std::ptrdiff_t>(at),
                                   tokens.begin() + static_cast<std::ptrdiff_t>(at + length));
        if (bos) chunk.front() = tokenizer.bos();
        (index % selection_every == selection_every / 2 ? chunks.selection : chunks.statistics)
            .push_back(std::move(chunk));
    }
    if (chunks.selection.empty() || chunks.statistics.empty())
        throw UsageError(fmt::format("the calibration text has {} tokens; at least {} are needed", tokens.size(),
                                     selection_every * length));
    return chunks;
}

Chunks spread_chunks(const Chunks& all, int64_t n) {
    Chunks chosen;
    const auto size = static_cast<int64_t>(all.size());
    n = std::min(n, size);
    for (int64_t i = 0; i < n; i++) chosen.push_back(all[static_cast<size_t>((2 * i + 1) * size / (2 * n))]);
    return chosen;
}

Chunks probe_chunks(const Chunks& selection, int64_t n_tokens) {
    Chunks pieces;
    const auto each = std::max<size_t>(16, static_cast<size_t>(n_tokens) / selection.size());
    for (const auto& chunk : selection)
        pieces.emplace_back(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(std::min(each, chunk.size())));
    return pieces;
}

}  // namespace ech0
