#include "plan/quality.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>

#include "base/toml.h"
#include "ech0/error.h"
#include "embedded/quality.h"

namespace ech0 {
namespace {

// Below this a difference of perplexities is chance, and from 8 bits on there is nothing to fit (docs/quality.md).
constexpr double least_divergence = 0.002, most_bits = 8;
constexpr double usual_params = 8e9, usual_bits = 4;
constexpr int n_slopes = 5;

/// One point of the fit.
struct Point {
    std::string model;
    double ln_params = 0;  // ln(N / usual_params)
    Eigen::Matrix<double, n_slopes, 1> x;
    double y = 0;       // ln KL
    double weight = 1;  // 1 / measures of its model
};

Eigen::Matrix<double, n_slopes, 1> features(double ln_params, double bits, TypeClass kind, bool imatrix) {
    Eigen::Matrix<double, n_slopes, 1> x;
    x << bits - usual_bits, ln_params * (bits - usual_bits), kind == TypeClass::k_quant, kind == TypeClass::plain,
        !imatrix;
    return x;
}

/// Parameters from what the source says of file and bits, or else from the model's name: "qwen2.5:32b".
double n_params_of(const std::string& model, double size_bytes, double bits) {
    if (size_bytes > 0 && bits > 0) return 8 * size_bytes / bits;
    const size_t colon = model.find(':');
    char* end = nullptr;
    const double billions = colon == std::string::npos ? 0 : std::strtod(model.c_str() + colon + 1, &end);
    return billions > 0 && end != nullptr && *end == 'b' ? billions * 1e9 : 0;
}

QualityMeasure read_measure(TomlTable& t, double& n_params) {
    QualityMeasure m;
    m.family = t.text("family");
    m.model = t.text("model");
    m.type = t.text("type");
    m.bits_per_weight = t.number_or("bits_per_weight", 0);
    m.perplexity = t.number_or("perplexity", 0);
    m.perplexity_original = t.number_or("perplexity_original", 0);
    m.kl_divergence = t.number_or("kl_divergence", 0);
    m.imatrix = t.flag_or("imatrix", false);
    m.text = t.text("text");
    m.source = t.text("source");
    t.number_or("top1_agreement", 0);
    t.text_or("note", "");
    n_params = n_params_of(m.model, t.number_or("size_bytes", 0), m.bits_per_weight);
    t.done();
    return m;
}

struct Data {
    std::vector<QualityMeasure> measures;
    std::vector<double> n_params;  // of each measure's model, 0 = not known
};

const Data& data() {
    static const Data all = [] {
        const TomlDocument document(embedded::quality(), "share/quality");
        TomlTable root = document.root();
        Data result;
        for (TomlTable& table : root.tables("measure")) {
            double n_params = 0;
            result.measures.push_back(read_measure(table, n_params));
            result.n_params.push_back(n_params);
        }
        root.done();
        return result;
    }();
    return all;
}

std::vector<Point> make_points() {
    std::vector<Point> result;
    std::map<std::string, double> count;
    for (size_t i = 0; i < data().measures.size(); i++) {
        const QualityMeasure& m = data().measures[i];
        const std::optional<double> divergence = m.divergence();
        if (!divergence || *divergence <= least_divergence || m.bits_per_weight <= 0 ||
            m.bits_per_weight >= most_bits || data().n_params[i] <= 0)
            continue;
        const double ln_params = std::log(data().n_params[i] / usual_params);
        result.push_back({m.model, ln_params,
                          features(ln_params, m.bits_per_weight, class_of_preset(m.type), m.imatrix),
                          std::log(*divergence), 1});
        count[m.model]++;
    }
    for (Point& p : result) p.weight = 1 / count[p.model];
    return result;
}

const std::vector<Point>& points() {
    static const std::vector<Point> all = make_points();
    return all;
}

/// What the curve consists of: slopes from comparisons within models, and the level of a model by its size.
struct Fit {
    Eigen::Matrix<double, n_slopes, 1> slopes;
    double level = 0, level_per_ln_params = 0;
    double variance_within = 0, variance_between = 0;

    double level_of(double ln_params) const { return level + level_per_ln_params * ln_params; }
};

struct ModelSum {
    double weight = 0, y = 0, ln_params = 0;
    Eigen::Matrix<double, n_slopes, 1> x = Eigen::Matrix<double, n_slopes, 1>::Zero();
};

std::map<std::string, ModelSum> means_by_model(const std::vector<Point>& points, const std::string& without) {
    std::map<std::string, ModelSum> sums;
    for (const Point& p : points) {
        if (p.model == without) continue;
        ModelSum& s = sums[p.model];
        s.weight += p.weight;
        s.y += p.weight * p.y;
        s.x += p.weight * p.x;
        s.ln_params += p.weight * p.ln_params;
    }
    for (auto& [model, s] : sums) s.y /= s.weight, s.x /= s.weight, s.ln_params /= s.weight;
    return sums;
}

void fit_levels(const std::map<std::string, ModelSum>& means, Fit& fit) {
    const auto n = static_cast<Eigen::Index>(means.size());
    Eigen::MatrixXd a(n, 2);
    Eigen::VectorXd b(n);
    Eigen::Index row = 0;
    for (const auto& [model, m] : means) {
        a.row(row) << 1, m.ln_params;
        b(row++) = m.y - fit.slopes.dot(m.x);
    }
    const Eigen::VectorXd levels = a.colPivHouseholderQr().solve(b);
    fit.level = levels(0);
    fit.level_per_ln_params = levels(1);
    fit.variance_between = (a * levels - b).squaredNorm() / static_cast<double>(std::max<Eigen::Index>(1, n - 2));
}

/// Weighted least squares with a constant per model taken out, then the constants by size.
Fit fit_curve(const std::vector<Point>& points, const std::string& without) {
    const std::map<std::string, ModelSum> means = means_by_model(points, without);
    Eigen::Matrix<double, n_slopes, n_slopes> normal = Eigen::Matrix<double, n_slopes, n_slopes>::Identity() * 1e-9;
    Eigen::Matrix<double, n_slopes, 1> right = Eigen::Matrix<double, n_slopes, 1>::Zero();
    for (const Point& p : points) {
        if (p.model == without) continue;
        const ModelSum& m = means.at(p.model);
        normal += p.weight * (p.x - m.x) * (p.x - m.x).transpose();
        right += p.weight * (p.y - m.y) * (p.x - m.x);
    }
    Fit fit;
    fit.slopes = normal.ldlt().solve(right);
    double weight = 0;
    for (const Point& p : points) {
        if (p.model == without) continue;
        const ModelSum& m = means.at(p.model);
        const double residual = p.y - m.y - fit.slopes.dot(p.x - m.x);
        fit.variance_within += p.weight * residual * residual;
        weight += p.weight;
    }
    fit.variance_within /= weight;
    fit_levels(means, fit);
    return fit;
}

/// The level of a model some of whose presets are known: their mean, drawn towards the curve's by how much models
/// differ and how little one measure says.
double anchored_level(const Fit& fit, double ln_params, double sum_of_residuals, double n_known) {
    const double prior = 1 / fit.variance_between, each = 1 / fit.variance_within;
    return (prior * fit.level_of(ln_params) + each * sum_of_residuals) / (prior + each * n_known);
}

/// Quantile of values of which each weighs something.
double weighted_quantile(std::vector<std::pair<double, double>> values, double share) {
    std::sort(values.begin(), values.end());
    double total = 0, sum = 0;
    for (const auto& [value, weight] : values) total += weight;
    for (const auto& [value, weight] : values)
        if ((sum += weight) >= share * total) return value;
    return values.empty() ? 0 : values.back().first;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

std::optional<double> QualityMeasure::divergence() const {
    if (kl_divergence > 0) return kl_divergence;
    if (perplexity > 0 && perplexity_original > 0) return std::log(perplexity / perplexity_original);
    return std::nullopt;
}

const std::vector<QualityMeasure>& quality_measures() { return data().measures; }

TypeClass class_of_preset(std::string_view preset) {
    if (preset.starts_with("IQ")) return TypeClass::codebook;
    return preset.find("_K") != std::string_view::npos ? TypeClass::k_quant : TypeClass::plain;
}

QualityCurve::QualityCurve() {
    const std::vector<Point>& all = points();
    const Fit fit = fit_curve(all, "");
    slopes_.assign(fit.slopes.data(), fit.slopes.data() + n_slopes);
    level_ = fit.level;
    level_per_ln_params_ = fit.level_per_ln_params;
    variance_within_ = fit.variance_within;
    variance_between_ = fit.variance_between;

    // What it is worth for a model it has not seen: each model is left out once.
    std::vector<std::pair<double, double>> errors, anchored_errors;
    std::map<std::string, std::vector<const Point*>> by_model;
    for (const Point& p : all) by_model[p.model].push_back(&p);
    for (const auto& [model, own] : by_model) {
        const Fit others = fit_curve(all, model);
        double sum = 0;
        for (const Point* p : own) sum += p->y - others.slopes.dot(p->x);
        for (const Point* p : own) {
            const double without_level = p->y - others.slopes.dot(p->x);
            errors.emplace_back(without_level - others.level_of(p->ln_params), p->weight);
            if (own.size() < 2) continue;
            const double level =
                anchored_level(others, p->ln_params, sum - without_level, static_cast<double>(own.size()) - 1);
            anchored_errors.emplace_back(without_level - level, p->weight);
        }
    }
    low_ = std::exp(weighted_quantile(errors, 0.05));
    high_ = std::exp(weighted_quantile(errors, 0.95));
    low_anchored_ = std::exp(weighted_quantile(anchored_errors, 0.05));
    high_anchored_ = std::exp(weighted_quantile(anchored_errors, 0.95));
}

Quality QualityLine::at(double bits_per_weight) const {
    Quality quality;
    // The curve ends at 8 bits: from there on the loss is at most that, and not known better.
    quality.kl_divergence =
        std::exp(ln_kl_at_4_bits + ln_kl_per_bit * (std::min(bits_per_weight, most_bits) - usual_bits));
    quality.low = quality.kl_divergence * low_factor;
    quality.high = quality.kl_divergence * high_factor;
    quality.grade = Grade::predicted;
    quality.source = source;
    return quality;
}

QualityLine QualityCurve::line(std::string_view model, int64_t n_params, TypeClass kind) const {
    const double ln_params = std::log(static_cast<double>(n_params) / usual_params);
    const Eigen::Map<const Eigen::Matrix<double, n_slopes, 1>> slopes(slopes_.data());
    double sum = 0, n_known = 0;
    const std::vector<Point>& all = points();
    for (const Point& p : all) {
        if (p.model != model) continue;
        sum += p.y - slopes.dot(p.x);
        n_known++;
    }
    Fit fit;
    fit.level = level_;
    fit.level_per_ln_params = level_per_ln_params_;
    fit.variance_within = variance_within_;
    fit.variance_between = variance_between_;
    const double level = anchored_level(fit, ln_params, sum, n_known);
    QualityLine line;
    line.ln_kl_at_4_bits = level + slopes.dot(features(ln_params, usual_bits, kind, true));
    line.ln_kl_per_bit = level + slopes.dot(features(ln_params, usual_bits + 1, kind, true)) - line.ln_kl_at_4_bits;
    line.low_factor = n_known > 0 ? low_anchored_ : low_;
    line.high_factor = n_known > 0 ? high_anchored_ : high_;
    line.source = n_known > 0 ? fmt::format("curve through {} published figures, {:.0f} of them of this model",
                                            all.size(), n_known)
                              : fmt::format("curve through {} published figures, none of this model", all.size());
    return line;
}

Quality QualityCurve::predict(std::string_view model, int64_t n_params, double bits_per_weight, TypeClass kind) const {
    return line(model, n_params, kind).at(bits_per_weight);
}

Quality quality_of_preset(const QualityCurve& curve, std::string_view model, int64_t n_params, std::string_view preset,
                          double bits_per_weight) {
    std::vector<double> divergences;
    const QualityMeasure* named = nullptr;
    for (const QualityMeasure& m : quality_measures()) {
        if (m.model != model || m.type != preset || !m.divergence()) continue;
        divergences.push_back(std::max(0.0, *m.divergence()));
        if (named == nullptr || (m.perplexity > 0 && named->perplexity == 0)) named = &m;
    }
    if (named == nullptr) return curve.predict(model, n_params, bits_per_weight, class_of_preset(preset));
    const auto [low, high] = std::minmax_element(divergences.begin(), divergences.end());
    return {median(divergences), *low,         *high, named->perplexity, named->perplexity_original,
            Grade::published,    named->source};
}

Quality original_perplexity(std::string_view model, std::string_view family, int64_t n_params) {
    // ln(perplexity) falls with ln(N) alike in all families, from a level that each has for itself.
    std::map<std::string, std::pair<double, double>>
        own;  // model -> ln N, ln perplexity; the median would be no better
    for (size_t i = 0; i < data().measures.size(); i++) {
        const QualityMeasure& m = data().measures[i];
        if (m.perplexity_original <= 0 || data().n_params[i] <= 0 || m.text.find("WikiText-2") == std::string::npos)
            continue;
        if (m.model == model)
            return {0, 0, 0, m.perplexity_original, m.perplexity_original, Grade::published, m.source};
        if (m.family == family) own[m.model] = {std::log(data().n_params[i]), std::log(m.perplexity_original)};
    }
    Quality quality;
    if (own.size() < 3) return quality;  // not known, and not guessed
    Eigen::MatrixXd a(static_cast<Eigen::Index>(own.size()), 2);
    Eigen::VectorXd b(a.rows());
    Eigen::Index row = 0;
    for (const auto& [name, point] : own) {
        a.row(row) << 1, point.first;
        b(row++) = point.second;
    }
    const Eigen::VectorXd line = a.colPivHouseholderQr().solve(b);
    quality.perplexity = quality.perplexity_original =
        std::exp(line(0) + line(1) * std::log(static_cast<double>(n_params)));
    quality.source = fmt::format("line through {} published sizes of {}", own.size(), family);
    return quality;
}

double ln_perplexity_by_size(int64_t n_params) {
    static const double slope = [] {
        std::map<std::string, std::map<std::string, std::pair<double, double>>> families;
        for (size_t i = 0; i < data().measures.size(); i++) {
            const QualityMeasure& m = data().measures[i];
            if (m.perplexity_original > 0 && data().n_params[i] > 0 && m.text.find("WikiText-2") != std::string::npos)
                families[m.family][m.model] = {std::log(data().n_params[i]), std::log(m.perplexity_original)};
        }
        double above = 0, below = 0;
        for (const auto& [family, models] : families) {
            double n = 0, x = 0, y = 0, xx = 0, xy = 0;
            for (const auto& [model, point] : models) {
                n++;
                x += point.first, y += point.second;
                xx += point.first * point.first, xy += point.first * point.second;
            }
            above += xy - x * y / n;
            below += xx - x * x / n;
        }
        return below > 0 ? above / below : 0;
    }();
    return slope * std::log(static_cast<double>(n_params));
}

}  // namespace ech0
