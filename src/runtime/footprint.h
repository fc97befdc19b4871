#pragma once

// How much memory a model will take, asked of the engine before a weight is read: it can make its plans for a model
// without allocating them (no_alloc), and tells the sizes in its log. So sliding windows, shared caches, paddings and
// scratch space are right for every architecture, this version of the engine being the one that will run.

#include <cstdint>
#include <memory>

#include "ech0/model.h"
#include "ech0/session.h"

namespace ech0 {

/// Bytes that a session needs besides the weights.
struct Footprint {
    int64_t kv_bytes = 0;       ///< the whole cache, for n_ctx tokens
    int64_t compute_bytes = 0;  ///< scratch of one batch
    int64_t output_bytes = 0;   ///< logits
    int64_t n_nodes = 0;        ///< operations of a graph for one token
};

/// A model whose metadata is loaded, to be asked about several contexts.
class FootprintProbe {
public:
    /// @throws EngineError if the engine refuses the file
    explicit FootprintProbe(const Model& model);
    ~FootprintProbe();

    /// @throws EngineError if the engine can't make such a context (naming why); UsageError for bad options
    Footprint of(const SessionOptions& options) const;

    /// What the engine allocates for such a context beside its buffers: graphs, plans, the list of cells. Seen as what
    /// this process' memory grows by when one is made without buffers; for a process that has settled and does nothing
    /// else meanwhile.
    /// @throws as of
    int64_t books_bytes(const SessionOptions& options) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    const Model& model_;
};

}  // namespace ech0
