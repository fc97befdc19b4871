#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/source.h"
#include "runtime/walk.h"

namespace ech0 {

/// Norms and biases by name, in float32: what a rounded model can change without a byte more.
using SmallTensors = std::map<std::string, std::vector<float>>;

/// These weights, but for some small tensors of type F32.
/// @param changed  must outlive what is returned
inline Weights with_changed(const Weights& weights, const SmallTensors& changed) {
    Weights result = weights;
    result.bytes = [weights, &changed](const Tensor& tensor,
                                       std::vector<std::byte>& scratch) -> std::span<const std::byte> {
        const auto found = changed.find(tensor.name);
        return found == changed.end() ? weights.bytes(tensor, scratch) : std::as_bytes(std::span(found->second));
    };
    return result;
}

}  // namespace ech0
