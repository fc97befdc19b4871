#pragma once

// What the options of some models are computed from, gathered once with the engine's help: sizes of every preset, the
// cache and buffers of every context, kernels timed here, published figures. After that a decision for another
// machine, context or wish is arithmetic (fit.h), which the dashboard repeats in its page (web/src/whatif.ts); both
// are held to the same examples, tests/data/what_if.json.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ech0/evidence.h"
#include "ech0/machine.h"
#include "ech0/model.h"
#include "fit/memory.h"
#include "machine/kernels.h"
#include "machine/score_log.h"
#include "plan/quality.h"
#include "plan/roofline.h"

namespace ech0 {

/// A size that one of the models can be had in.
struct FileBasis {
    std::string preset;  ///< "IQ4_XS", "as it is"
    int64_t file_bytes = 0;
    double bits_per_weight = 0;
    WeightMemory memory;
    TokenWork work;  ///< of the weights alone
    Quality quality;
};

/// What a context costs with one type of cache.
struct CacheBasis {
    std::string kv_type;
    int64_t n_ctx = 0;
    Footprint footprint;
    std::optional<Estimate> loss = {};  ///< KL from an f16 cache, nats per token, of this very file; by `kv plan`
};

struct ModelBasis {
    std::string name;        ///< as published figures call it; of a file that nobody knows, its own name
    std::string asked;       ///< as the person wrote it
    std::string family;      ///< of published models; else the architecture
    std::string stem;        ///< of the files that would be made of it
    std::string source;      ///< what `ech0 compress` would read
    bool is_remote = false;  ///< its head was fetched, its weights are not here
    int64_t n_params = 0, n_ctx_train = 0;
    double heads_per_kv_head = 1;
    double level = 0;              ///< what is added to a KL divergence when several models are compared
    QualityLine mix_quality;       ///< of a mix of types, by its bits
    Correction speed_as_it_is;     ///< what this machine's scores say of the file as it is
    std::vector<FileBasis> files;  ///< by size
    std::vector<CacheBasis> caches;
};

struct FitBasis {
    std::vector<ModelBasis> models;
    std::string comparison;              ///< in words, how models are compared; empty for one
    std::optional<KernelTable> kernels;  ///< of this machine
    std::vector<Machine> described;      ///< for machines without figures of their own
};

struct BasisOptions {
    std::vector<Model> models;
    std::vector<int64_t> contexts;      ///< those longer than a model's training are left out for it
    std::vector<std::string> kv_types;  ///< of K and V
    bool this_machine = false;          ///< time its kernels
    int n_threads = 0;
    bool kept_kv_plans = false;  ///< with what `kv plan` measured of these files
};

/// @throws UsageError for a context that none of the caches has; EngineError
FitBasis make_basis(const BasisOptions& options);

}  // namespace ech0
