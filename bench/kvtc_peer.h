#pragma once

// The rival of the lossy codec in kv_lossy: "PCA + DEFLATE as published" (Staniszewski and Łańcucki 2025, "KV Cache
// Transform Coding for Compact Storage in LLM Inference", arXiv 2511.01815), written from the paper's description:
//   - keys before they were turned by position; K and V of all layers and heads of a token are one vector, of which a
//     principal component analysis is learnt on calibration text (randomized subspace iteration, `rank` components);
//   - the components, by falling variance, are cut into groups of 1, 16, 64, 256 or 1024 that share 16 bits of scale
//     and 16 bits of shift per token, each with a number of bits of its own; which, dynamic programming says from the
//     error measured on held-out calibration text, for a budget of 16 / ratio bits per number;
//   - uniform quantization, DEFLATE; the first 4 tokens and the last 128 stay as they are.
// Where the description leaves room, what is smaller is taken: 1 to 8 bits, zeros anywhere, streams per group as bytes
// or packed bits, coordinates that never vary (dead heads) free. `span` = 1 is the same with one PCA per layer.

#include <Eigen/Dense>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "calibrate/text.h"
#include "ech0/session.h"
#include "kv/profile.h"
#include "kv/state.h"

namespace ech0 {

using PeerRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// PCA of K or of V of `span` layers.
struct PeerBasis {
    std::vector<int64_t> live;  ///< columns of [span, n_head_kv * d] that vary
    Eigen::RowVectorXf mean;    ///< [live]
    PeerRows axes;              ///< [live, rank]
    PeerRows held_out;          ///< [n, rank] coefficients that bits are chosen by
};

struct Peer {
    int64_t n_layer = 0, span = 0, width_k = 0, width_v = 0;
    std::vector<PeerBasis> k, v;  ///< [n_layer / span]

    int64_t size_bytes() const;  ///< of a file that has axes and means in half precision
};

/// @param rank  components per layer, times span in all
Peer learn_peer(Session& session, const Model& model, const CalibrationText& text, const KvProfile& shapes,
                int64_t span, int64_t rank, int64_t n_chunks, int n_threads);

void write_peer(const Peer& peer, const std::filesystem::path& path);
Peer read_peer(const std::filesystem::path& path);

struct PeerPacked {
    int64_t size_bytes = 0;  ///< everything but the state's frame
    std::string restored;    ///< the state again
    double pack_s = 0, unpack_s = 0;
};

/// @param ratio  16 bits over what a number may take before DEFLATE
PeerPacked pack_with_peer(const Peer& peer, const KvProfile& shapes, const KvState& state,
                          std::span<const uint8_t> bytes, double ratio);

}  // namespace ech0
