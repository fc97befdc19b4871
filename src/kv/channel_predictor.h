#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ech0 {

/// What the channels of a token say about each other. The covariance C of the tokens seen so far, factored as
/// C = L D Lᵀ with L unit lower triangular, gives the best linear guess at channel c from those before it: with the
/// errors e of the earlier guesses, guess(c) = Σ_{j<c} L(c,j) e(j). A constant goes before the first channel, so that
/// means are learned too.
///
/// Packing and unpacking make the same guesses to the last bit, on any machine: only +, -, x, / of float in a fixed
/// order, and no fused multiply-add (the file is compiled with -ffp-contract=off).
/// Source: the innovations form of linear prediction, Kailath 1968; here across channels instead of time.
class ChannelPredictor {
public:
    explicit ChannelPredictor(int64_t n_channels);

    /// Before each token's channels, in order.
    void begin_token();
    /// The guess at the next channel, and how far such guesses were off lately (standard deviation).
    float guess() const;
    float spread(int64_t channel) const { return spread_[static_cast<size_t>(channel)]; }
    /// What it really was; on to the next channel.
    void tell(float value);

private:
    void end_token();
    void remember();
    void add_to_covariance();
    void factor();

    int64_t n_, width_;  // channels; with the constant, rounded up to whole vectors
    int64_t channel_ = 0;
    int64_t n_tokens_ = 0, n_learned_ = 0, n_next_ = 16;
    std::vector<float> covariance_, factor_;  // by column: [width_, width_], from the diagonal down
    std::vector<float> guess_, error_, variance_, spread_;
    std::vector<float> token_, tokens_;  // weighted, not yet in the covariance: [n, width_]
    std::vector<float> column_;
    std::vector<float> value_, base_, lately_, with_lately_, of_lately_;  // of each channel, see remember()
};

}  // namespace ech0
