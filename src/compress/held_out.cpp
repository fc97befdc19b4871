#include "compress/held_out.h"

#include <cmath>
#include <limits>

#include "compress/feedback.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

double error_with(ggml_type type, const Matrix& w, const InputMoments& fitted, const InputMoments& held,
                  const RoundingOptions& options) {
    const Metric metric = make_metric(fitted.h, options.shrinkage);
    const Matrix aim = fit_to_output(w, fitted, options.repair);
    const size_t row_bytes = ggml_row_size(type, w.cols());
    std::vector<std::byte> rounded(row_bytes * static_cast<size_t>(w.rows()));
    round_tile(type, metric, {aim.data(), w.cols(), w.rows(), rounded.data(), row_bytes}, options.descent);
    Matrix q(w.rows(), w.cols());
    to_float(type, rounded.data(), q.data(), q.size());
    return output_error(w, q, held);
}

}  // namespace

double output_error(const Matrix& w, const Matrix& q, const InputMoments& m) {
    Matrix target = w * (m.c.size() > 0 ? m.c : m.h);
    if (m.s.size() > 0) target += m.s;
    const Matrix qh = q * m.h;
    return qh.cwiseProduct(q).cast<double>().sum() - 2 * target.cwiseProduct(q).cast<double>().sum();
}

RoundingOptions choose_settings(ggml_type type, const Matrix& w, const InputMoments& fitted, const InputMoments& held,
                                RoundingOptions options) {
    double best = error_with(type, w, fitted, held, options);
    const auto choose = [&](float& setting, std::initializer_list<float> values) {
        float chosen = setting;
        for (const float value : values) {
            if (value == chosen) continue;
            setting = value;
            const double error = error_with(type, w, fitted, held, options);
            if (error < best) best = error, chosen = value;
        }
        setting = chosen;
    };
    choose(options.shrinkage, {0.1F, 0.2F, 0.35F});
    if (fitted.c.size() > 0) choose(options.repair.step, {0.25F, 0.5F, 0.75F, 1.0F});
    if (fitted.s.size() > 0) choose(options.repair.stream_step, {0.25F, 0.5F, 0.75F, 1.0F});
    if (fitted.c.size() > 0) choose(options.repair.ridge, {0.02F, 0.05F, 0.15F});
    return options;
}

}  // namespace ech0
