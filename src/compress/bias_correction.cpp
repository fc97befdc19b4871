#include "compress/bias_correction.h"

#include <Eigen/Core>

#include "base/interrupt.h"
#include "base/matrix.h"
#include "calibrate/moments.h"
#include "runtime/ggml_types.h"
#include "runtime/look.h"

namespace ech0 {
namespace {

constexpr int64_t slab_rows = 256;

using Vector = Eigen::VectorXd;

/// The bias that is added to what this matrix gives, if the rounded model may change it.
const Tensor* bias_of(const Source& source, const Weights& rounded, const std::string& matrix) {
    const Model& model = source.model();
    const Tensor* weight = model.find(matrix);
    const std::string suffix = ".weight";
    if (weight == nullptr || !matrix.ends_with(suffix) || n_mat_of(*weight) != 1) return nullptr;
    if (rounded.type(*weight) == static_cast<ggml_type>(weight->type)) return nullptr;
    const Tensor* bias = model.find(matrix.substr(0, matrix.size() - suffix.size()) + ".bias");
    return bias != nullptr && bias->type == GGML_TYPE_F32 && bias->n_elements == weight->n_rows() ? bias : nullptr;
}

class Means {
public:
    void add(const Seen& seen) {
        const Eigen::Map<const Matrix> x(seen.x.data(), seen.n_rows, seen.n_cols);
        if (sum_.size() == 0) sum_ = Vector::Zero(seen.n_cols);
        sum_ += x.cast<double>().colwise().sum().transpose();
        n_ += seen.n_rows;
    }
    Eigen::VectorXf get() const { return (sum_ / static_cast<double>(n_)).cast<float>(); }

private:
    Vector sum_;
    int64_t n_ = 0;
};

std::vector<float> corrected(const Source& source, const Weights& rounded, const Tensor& weight, const Tensor& bias,
                             const Eigen::VectorXf& x, const Eigen::VectorXf& y) {
    std::vector<float> b(static_cast<size_t>(bias.n_elements));
    source.rows(bias, 0, 1, b.data());
    std::vector<std::byte> scratch;
    const ggml_type type = rounded.type(weight);
    const std::span<const std::byte> q_bytes = rounded.bytes(weight, scratch);
    Matrix w(slab_rows, weight.n_cols()), q(slab_rows, weight.n_cols());
    for (int64_t first = 0; first < weight.n_rows(); first += slab_rows) {
        const int64_t n = std::min(slab_rows, weight.n_rows() - first);
        source.rows(weight, first, n, w.data());
        to_float(type, q_bytes.data() + static_cast<size_t>(first) * ggml_row_size(type, weight.n_cols()), q.data(),
                 n * weight.n_cols());
        Eigen::Map<Eigen::VectorXf>(b.data() + first, n) += w.topRows(n) * x - q.topRows(n) * y;
    }
    source.release(weight);
    if (rounded.release) rounded.release(weight);
    return b;
}

/// Both versions of one layer.
struct Layer {
    const Source& source;
    const Weights& rounded;
    const Chunks& chunks;
    Segment original, ours;
    HiddenStates &in_original, &in_ours;

    void correct(const std::vector<std::string>& group, SmallTensors& changed) {
        std::map<const Tensor*, const Tensor*> biases;
        for (const std::string& name : group)
            if (const Tensor* bias = bias_of(source, rounded, name)) biases[source.model().find(name)] = bias;
        if (biases.empty()) return;
        Means x, y;
        for (size_t c = 0; c < chunks.size(); c++) {
            check_interrupt();
            x.add(look(original, input_of(original.range(), chunks, in_original, c), group.front(), ""));
            y.add(look(ours, input_of(ours.range(), chunks, in_ours, c), group.front(), ""));
        }
        for (const auto& [weight, bias] : biases) {
            std::vector<float> b = corrected(source, rounded, *weight, *bias, x.get(), y.get());
            ours.set(bias->name, std::as_bytes(std::span(b)));
            changed[bias->name] = std::move(b);
        }
    }
};

bool has_biases(const Source& source, const Weights& rounded) {
    for (const Tensor& tensor : source.model().tensors)
        if (bias_of(source, rounded, tensor.name) != nullptr) return true;
    return false;
}

}  // namespace

SmallTensors corrected_biases(const Source& source, const Weights& rounded, const Chunks& chunks, const Walk& walk) {
    SmallTensors changed;
    if (!has_biases(source, rounded)) return changed;
    const Model& model = source.model();
    const Weights plain = source.as_stored();
    const Weights original = without_output_matrix(model, plain), ours = without_output_matrix(model, rounded);
    const std::vector<SegmentRange> ranges = split_into_segments(model);
    HiddenStates in_original(walk.spill), in_ours(walk.spill);
    if (!ranges.front().from_tokens) {
        in_original = enter(model, plain, chunks, walk.spill);
        in_ours = enter(model, rounded, chunks, walk.spill);
    }
    for (size_t i = 0; i < ranges.size(); i++) {
        if (walk.progress) walk.progress(walk.stage, static_cast<int64_t>(i), static_cast<int64_t>(ranges.size()));
        Layer layer{source,
                    rounded,
                    chunks,
                    {model, ranges[i], original, walk.options},
                    {model, ranges[i], ours, walk.options},
                    in_original,
                    in_ours};
        for (const auto& group : layer.original.products_by_input(input_of(ranges[i], chunks, in_original, 0)))
            layer.correct(group, changed);
        if (ranges[i].with_head) break;
        advance(layer.original, chunks, in_original);
        advance(layer.ours, chunks, in_ours);
    }
    return changed;
}

}  // namespace ech0
