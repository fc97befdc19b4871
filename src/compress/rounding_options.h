#pragma once

namespace ech0 {

/// Of rounding one matrix; see compress/feedback.h.
struct FeedbackOptions {
    int sweeps = 4;  ///< of coordinate descent; 0: error feedback alone
};

/// Of fitting a matrix to the original's output; see compress/repair.h for a, b and the ridge.
struct RepairOptions {
    float step = 0.5F;         ///< a
    float stream_step = 0.5F;  ///< b
    float ridge = 0.05F;
};

/// Of rounding the whole model; what each is worth is measured by bench/rounding.cpp.
struct RoundingOptions {
    float shrinkage = 0.2F;
    bool feedback = true;    ///< errors fed back between columns; otherwise the engine's rounding
    bool sequential = true;  ///< inputs from the compressed layers; otherwise the original's
    bool held_out = true;    ///< shrinkage, steps and ridge per input, by the error on chunks held out
    RepairOptions repair;
    FeedbackOptions descent;
};

}  // namespace ech0
