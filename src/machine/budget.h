#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ech0/machine.h"
#include "ech0/model.h"
#include "machine/host.h"

namespace ech0 {

// How much memory a model may take: weights, KV cache and buffers together. Too much asked of RAM does not fail, it
// crawls: the weights are a mapped file, and what finds no room is read from the disk again for every token. So the
// budget is what is free now, less what the programs beside will want while the model runs.

/// The answer, with its arithmetic in words.
struct MemoryBudget {
    int64_t bytes = 0;
    std::string source;
};

/// What is left to the programs beside: 1/32 of the memory, at least 256 MiB (below that even an idle Raspberry Pi
/// begins to swap), at most 1 GiB (what llama.cpp's own --fit leaves free, common/arg.cpp of 4df29be).
int64_t headroom_bytes(int64_t memory_total_bytes);

/// In RAM: the least of what the machine has available, what our control group may still take, and ulimit -v.
MemoryBudget ram_budget(const Host& host);

/// Do these models' weights together fit into what is free now?
bool fits_memory(std::span<const Model* const> models);
bool fits_memory(const Model& model);

/// In the memory of GPUs, over which the engine spreads a model: what they have free, less 1 GiB each as llama.cpp's
/// --fit leaves. Metal's figure is a limit with the system's reserve already taken off: it counts as it is.
/// @param gpus  not empty, of one backend
MemoryBudget gpu_budget(const Host& host, const std::vector<Device>& gpus);

/// Those of one backend that the engine would put the weights on: cards of their own before graphics that share the
/// RAM; of two backends that see the same card, the engine's first. Empty: the processor.
std::vector<Device> weight_devices(const std::vector<Device>& devices);

}  // namespace ech0
