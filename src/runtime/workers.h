#pragma once

// Other machines' memory and processors, through the engine's RPC backend (`ggml-rpc-server` there). The protocol has
// neither key nor cipher: for networks that one trusts.

#include <ggml-backend.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ech0/session.h"

namespace ech0 {

/// A device of a worker's, and what it has free.
struct Worker {
    std::string endpoint;
    int64_t device = 0;
    std::string description;
    int64_t memory_free_bytes = 0, memory_total_bytes = 0;
};

/// The devices of the workers, in the order of the endpoints.
/// @param endpoints  "HOST:PORT"
/// @throws UsageError if one is no endpoint or is named twice; EngineError if one does not answer, or is of another
///         version
std::vector<Worker> ask_workers(std::span<const std::string> endpoints);

/// The engine's device for that share. @throws EngineError if the worker does not answer
ggml_backend_dev_t worker_device(const RemoteShare& share);

/// Which worker does not answer any more, and what helps, in words for a person; "" if all do. Takes 0.3 s.
std::string gone_worker(std::span<const std::string> endpoints);

/// Why the engine gave up in the middle of its work, in words for a person: which worker does not answer any more.
std::string worker_trouble(std::span<const std::string> endpoints, const std::string& engine_words);

}  // namespace ech0
