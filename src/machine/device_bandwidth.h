#pragma once

#include <cstdint>
#include <string>

#include "machine/bandwidth.h"

namespace ech0 {

/// How fast one of the engine's devices reads its own memory: weights of half precision times a vector, as generating a
/// token does it, by the device's own kernels, over more weights than its cache holds. The processor's threads can't
/// tell: a card has other memory, and a Mac's GPU reads the same memory faster than its cores do.
/// @param name          as engine_devices() says it: "CUDA0"
/// @param buffer_bytes  of weights, at least 32 MiB; 1 GiB is more than any cache
/// @param n_threads     for the device that is the processor
/// @throws EngineError if there is no such device, or it has no room or no kernel for that
ReadBandwidth measure_device_bandwidth(const std::string& name, int64_t buffer_bytes, int n_threads);

}  // namespace ech0
