#pragma once

// What there is to cut and what each cut would cost, as plain figures.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ech0 {

/// One step: which units go, and what is lost with them and all before them.
struct RemovalStep {
    std::vector<int32_t> units;
    double error = 0;  ///< squared error of the output as a share of the output's own square
};

enum class UnitKind { kv_heads, channels };

/// One layer's one kind.
struct CutCurve {
    int64_t layer = 0;
    UnitKind kind = UnitKind::channels;
    int64_t params_per_unit = 0;
    double gain = 0;  ///< KL divergence, nats, per share of the output's square that is lost; measured
    std::vector<RemovalStep> steps;
    int64_t most_steps = 0;  ///< no more of them: something must stay
    size_t n_probed = 0;     ///< steps that were really taken when the gain was measured
};

/// A whole layer.
struct LayerCost {
    int64_t layer = 0;
    double kl = 0;  ///< nats, measured with this layer alone gone
};

/// What could go, and what it would cost.
struct CutCosts {
    std::vector<CutCurve> curves;
    std::vector<LayerCost> layers;
    int64_t n_tokens = 0;  ///< of held-out text that gains and layers were measured on
};

}  // namespace ech0
