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
    std::optional<ReadBandwidth> read;  ///< absent if there was too little memory to measure
    bool read_remembered = false;       ///< from an earlier measurement
};

Probe probe(bool measure_anew);

}  // namespace ech0
