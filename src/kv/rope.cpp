#include "kv/rope.h"

#include <llama.h>

#include <cmath>

#include "model/metadata.h"
#include "runtime/source.h"

namespace ech0 {

Rope rope_of_model(const Model& model, int engine_type) {
    Rope rope;
    if (engine_type != LLAMA_ROPE_TYPE_NORM && engine_type != LLAMA_ROPE_TYPE_NEOX) return rope;
    const std::string arch = model.architecture + ".";
    const std::string scaling = find_string(model.metadata, arch + "rope.scaling.type").value_or("none");
    if ((scaling != "none" && scaling != "linear") || model.n_swa > 0) return rope;
    rope.n_rot = find_integer(model.metadata, arch + "rope.dimension_count").value_or(model.n_embd_head_k);
    if (rope.n_rot < 2 || rope.n_rot > model.n_embd_head_k || rope.n_rot % 2 != 0) return rope;
    rope.base = find_number(model.metadata, arch + "rope.freq_base").value_or(10000);
    const double factor = find_number(model.metadata, arch + "rope.scaling.factor").value_or(0);
    if (scaling == "linear" && factor > 0) rope.scale = 1 / factor;
    if (const Tensor* factors = model.find("rope_freqs.weight"); factors != nullptr) {
        if (factors->n_elements < rope.n_rot / 2) return rope;
        rope.factors.resize(static_cast<size_t>(factors->n_elements));
        Source(model).rows(*factors, 0, factors->n_rows(), rope.factors.data());
    }
    rope.kind = engine_type == LLAMA_ROPE_TYPE_NORM ? Rope::Kind::norm : Rope::Kind::neox;
    return rope;
}

void turn(const Rope& rope, std::span<const int32_t> pos, int64_t n_head, int64_t d, bool back, float* x) {
    if (rope.kind == Rope::Kind::none) return;
    const int64_t half = rope.n_rot / 2;
    const bool pairs = rope.kind == Rope::Kind::norm;
    std::vector<float> c(static_cast<size_t>(half)), s(static_cast<size_t>(half));
    for (const int32_t p : pos) {
        for (int64_t i = 0; i < half; i++) {
            double angle = p * std::pow(rope.base, -2.0 * static_cast<double>(i) / static_cast<double>(rope.n_rot));
            angle *= rope.scale / (rope.factors.empty() ? 1.0 : rope.factors[static_cast<size_t>(i)]);
            c[static_cast<size_t>(i)] = static_cast<float>(std::cos(angle));
            s[static_cast<size_t>(i)] = static_cast<float>(back ? -std::sin(angle) : std::sin(angle));
        }
        for (int64_t h = 0; h < n_head; h++, x += d)
            for (int64_t i = 0; i < half; i++) {
                float& a = x[pairs ? 2 * i : i];
                float& b = x[pairs ? 2 * i + 1 : i + half];
                const float a0 = a;
                const auto at = static_cast<size_t>(i);
                a = a0 * c[at] - b * s[at];
                b = a0 * s[at] + b * c[at];
            }
    }
}

}  // namespace ech0
