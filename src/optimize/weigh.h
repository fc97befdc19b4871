#pragma once

// Bits or structure? At equal bytes, fewer weights with more bits each may be closer to the original than all of them
// with few. The exchange has no formula, so it is made and measured: compress alone; then prune as much as is predicted
// to cost a small share of what quantizing cost, compress what is left to the same size, and compare; more, as long as
// it gets better.

#include <optional>
#include <string>
#include <vector>

#include "compress/compress.h"
#include "ech0/artifact.h"
#include "ech0/evidence.h"
#include "ech0/model.h"
#include "verify/bits_per_byte.h"

namespace ech0 {

struct WeighOptions {
    CompressOptions compress;            ///< with the size wanted, as bytes or bits per weight
    std::optional<std::string> sibling;  ///< a smaller model of about that size, to be judged beside
    std::filesystem::path text;          ///< to judge by at the end; empty = the one that is part of the program
    int64_t n_chunks = 16;               ///< of it
    std::string command;                 ///< for the report
};

/// One way to the same bytes.
struct Way {
    std::string what;
    int64_t n_params = 0;  ///< that are left
    double kl_pruned = 0;  ///< nats per token, before it was quantized; 0: nothing was pruned
    double kl = 0;         ///< to the original, on text held out from the statistics: what decides
    Artifact artifact;
    BitsPerByte bits_per_byte;  ///< on the text to judge by
    bool chosen = false;
};

struct Weighing {
    std::vector<Way> ways;  ///< the first is compress alone
    std::string stopped;    ///< why no more were tried
    Evidence evidence;      ///< candidates in the order of the ways
    BitsPerByte original, sibling;
    std::string sibling_path;
    int64_t sibling_bytes = 0;
    double seconds = 0;

    const Way& chosen() const;
};

/// The file of the chosen way takes the output's name.
/// @throws UsageError and whatever compress, prune and verify throw
Weighing weigh(const Model& model, const WeighOptions& options, const Progress& progress);

}  // namespace ech0
