#include "kv/channel_predictor.h"

#include <algorithm>
#include <cmath>

namespace ech0 {
namespace {

constexpr int64_t lanes = 8;
constexpr int64_t most_between = 128;  // tokens between two factorizations
constexpr int64_t n_unusual = 4;       // the first tokens are sinks of attention, tens of times larger than all others
constexpr float constant = 1.0F;
constexpr float largest = 1e6F;  // of a guess; half precision ends at 65504

// y[i] -= a * x[i] from `begin` on, in whole vectors: rows above the diagonal are computed and not used.
void subtract_scaled(float* y, const float* x, float a, int64_t begin, int64_t width) {
    for (int64_t i = begin / lanes * lanes; i < width; i++) y[i] -= a * x[i];
}

}  // namespace

ChannelPredictor::ChannelPredictor(int64_t n_channels)
    : n_(n_channels),
      width_((n_channels + 1 + lanes - 1) / lanes * lanes),
      covariance_(static_cast<size_t>(width_ * width_)),
      factor_(static_cast<size_t>(width_ * width_)),
      guess_(static_cast<size_t>(width_)),
      error_(static_cast<size_t>(width_)),
      variance_(static_cast<size_t>(width_)),
      spread_(static_cast<size_t>(width_)),
      token_(static_cast<size_t>(width_)),
      column_(static_cast<size_t>(width_)),
      value_(static_cast<size_t>(width_)),
      base_(static_cast<size_t>(width_)),
      lately_(static_cast<size_t>(width_)),
      with_lately_(static_cast<size_t>(width_)),
      of_lately_(static_cast<size_t>(width_)) {}

void ChannelPredictor::begin_token() {
    std::fill(guess_.begin(), guess_.end(), 0.0F);
    std::fill(token_.begin(), token_.end(), 0.0F);
    channel_ = 0;
    token_[0] = constant;
    if (n_learned_ == 0) return;
    // Column 0 belongs to the constant: guess(c) starts as L(c, 0). guess_ is shifted by one against the columns.
    for (int64_t i = 0; i + 1 < width_; i++)
        guess_[static_cast<size_t>(i)] = factor_[static_cast<size_t>(i + 1)] * constant;
}

float ChannelPredictor::guess() const {
    const float g = guess_[static_cast<size_t>(channel_)] + base_[static_cast<size_t>(channel_)];
    return g > -largest && g < largest ? g : 0.0F;  // also if it is no number
}

void ChannelPredictor::tell(float value) {
    const size_t c = static_cast<size_t>(channel_);
    const float error = value - guess();
    error_[c] = error;
    token_[c + 1] = value - base_[c];
    value_[c] = value;
    if (n_learned_ > 0) {
        // column of this channel: L(i, c + 1), i > c + 1
        const float* const l = factor_.data() + static_cast<size_t>((channel_ + 1) * width_) + 1;
        float* const g = guess_.data();
        const int64_t last = width_ - 1;
        for (int64_t i = channel_ / lanes * lanes; i < last; i++) g[i] += l[i] * error;
    }
    channel_++;
    if (channel_ == n_) end_token();
}

void ChannelPredictor::end_token() {
    // Tokens that are nothing like the others (the first ones above all) count less.
    float excess = 0;
    for (int64_t i = 0; i < n_; i++) {
        const size_t c = static_cast<size_t>(i);
        const float squared = error_[c] * error_[c];
        if (variance_[c] > 0) excess += std::min(squared / variance_[c], 1000.0F);
    }
    const float mean_excess = excess / static_cast<float>(n_);
    const float weight = n_tokens_ < n_unusual ? 0.0F : 1.0F / std::max(1.0F, mean_excess);
    n_tokens_++;
    const float n_usual = static_cast<float>(std::max<int64_t>(1, n_tokens_ - n_unusual));
    const float rate = std::max(1.0F / n_usual, 1.0F / 48);
    for (int64_t i = 0; i < n_; i++) {
        const size_t c = static_cast<size_t>(i);
        const float squared = std::min(error_[c] * error_[c], n_usual > 1 ? 16 * variance_[c] + 1e-12F : 1e30F);
        variance_[c] += (squared - variance_[c]) * rate;
        spread_[c] = std::sqrt(variance_[c]);
    }
    remember();
    if (weight == 0) return;
    const float root = std::sqrt(weight);
    for (const float value : token_) tokens_.push_back(value * root);
    if (static_cast<int64_t>(tokens_.size()) < n_next_ * width_) return;
    add_to_covariance();
    factor();
    n_next_ = std::min(most_between, n_next_ * 2);
}

// What a channel was lately, and how much of that it still is.
void ChannelPredictor::remember() {
    if (n_tokens_ <= n_unusual) return;
    for (size_t c = 0; c < static_cast<size_t>(n_); c++) {
        const float value = value_[c], lately = lately_[c];
        with_lately_[c] = with_lately_[c] * 0.99F + value * lately;
        of_lately_[c] = of_lately_[c] * 0.99F + lately * lately;
        lately_[c] = lately + (value - lately) * 0.25F;
        base_[c] = with_lately_[c] / (of_lately_[c] * 1.02F + 1e-20F) * lately_[c];
    }
}

void ChannelPredictor::add_to_covariance() {
    const int64_t n = static_cast<int64_t>(tokens_.size()) / width_;
    for (int64_t j = 0; j <= n_; j++) {
        float* const column = covariance_.data() + j * width_;
        for (int64_t t = 0; t < n; t++) {
            const float* const x = tokens_.data() + t * width_;
            const float a = x[j];
            for (int64_t i = j / lanes * lanes; i < width_; i++) column[i] += a * x[i];
        }
    }
    n_learned_ += n;
    tokens_.clear();
}

void ChannelPredictor::factor() {
    factor_ = covariance_;
    // Off-diagonals shrink: with few tokens a covariance fits its tokens and no others.
    const float ridge = 0.01F + 8.0F / static_cast<float>(n_learned_);
    for (int64_t i = 1; i <= n_; i++) {
        float& d = factor_[static_cast<size_t>(i * width_ + i)];
        d += ridge * d + 1e-20F;
    }
    for (int64_t k = 0; k <= n_; k++) {
        float* const pivot = factor_.data() + k * width_;
        const float d = pivot[k];
        const float inverse = d > 0 ? 1.0F / d : 0.0F;
        std::copy(pivot, pivot + width_, column_.begin());
        for (int64_t i = k / lanes * lanes; i < width_; i++) pivot[i] *= inverse;
        for (int64_t j = k + 1; j <= n_; j++)
            subtract_scaled(factor_.data() + j * width_, column_.data(), pivot[j], j, width_);
    }
}

}  // namespace ech0
