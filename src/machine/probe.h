#pragma once

#include <optional>

#include "ech0/machine.h"
#include "machine/bandwidth.h"
#include "machine/host.h"

namespace ech0 {

/// This machine with what it was made from, for those who want to say more than a model needs.
struct Probe {
    Machine machine;
    Host host;
    std::optional<ReadBandwidth> read;  ///< by what the weights run on; absent if it had too little memory to measure
};

Probe probe(bool measure_anew);

/// This machine as probe_machine() has it, without the speed of its memory: that costs seconds the first time.
Machine probe_memory();

}  // namespace ech0
