#include "kvtc_peer.h"

#include <fmt/format.h>
#include <ggml.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <limits>

#include "calibrate/chunks.h"
#include "ech0/error.h"
#include "kv/prefill.h"
#include "kv/values.h"

namespace ech0 {
namespace {

constexpr int64_t n_sinks = 4, n_window = 128, n_held_out = 96;
constexpr std::array<int64_t, 5> group_sizes = {1, 16, 64, 256, 1024};
constexpr std::array<int64_t, 7> bit_widths = {1, 2, 3, 4, 5, 6, 8};
constexpr int64_t group_overhead_bits = 32;

double now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

float half(float x) { return ggml_fp16_to_fp32(ggml_fp32_to_fp16(x)); }

KvHeads heads_of(const KvProfile& shapes) { return {shapes.rope, shapes.d_k, shapes.d_v}; }

/// Rows first … first + n of K (V) of layers l … l + span, beside each other.
PeerRows gather(const std::vector<KvLayerValues>& layers, bool is_value, int64_t l, int64_t span, int64_t width,
                int64_t first, int64_t n) {
    PeerRows rows(n, span * width);
    for (int64_t s = 0; s < span; s++) {
        const KvLayerValues& layer = layers[static_cast<size_t>(l + s)];
        rows.middleCols(s * width, width) =
            Eigen::Map<const PeerRows>((is_value ? layer.v : layer.k).data() + first * width, n, width);
    }
    return rows;
}

PeerRows columns(const PeerRows& rows, const std::vector<int64_t>& which) {
    PeerRows out(rows.rows(), static_cast<int64_t>(which.size()));
    for (size_t i = 0; i < which.size(); i++) out.col(static_cast<int64_t>(i)) = rows.col(which[i]);
    return out;
}

/// The leading eigenvectors of a covariance; subspace iteration where all of them would take too long.
PeerRows leading_axes(const Eigen::MatrixXf& covariance, int64_t rank) {
    const int64_t n = covariance.rows();
    if (n <= 1024) {
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> solver(covariance);
        return solver.eigenvectors().rowwise().reverse().leftCols(std::min(rank, n));
    }
    rank = std::min(rank, n);
    std::srand(1);
    Eigen::MatrixXf q = Eigen::MatrixXf::Random(n, rank);
    for (int pass = 0; pass < 5; pass++) {
        const Eigen::HouseholderQR<Eigen::MatrixXf> qr(covariance * q);
        q = qr.householderQ() * Eigen::MatrixXf::Identity(n, rank);
    }
    const Eigen::MatrixXf small = q.transpose() * (covariance * q);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> solver(small);
    return q * solver.eigenvectors().rowwise().reverse();
}

PeerBasis learn_basis(const PeerRows& fit, const PeerRows& held_out, int64_t rank) {
    PeerBasis basis;
    for (int64_t j = 0; j < fit.cols(); j++)
        if (fit.col(j).cwiseAbs().maxCoeff() > 0) basis.live.push_back(j);
    PeerRows x = columns(fit, basis.live);
    basis.mean = x.colwise().mean().unaryExpr(&half);
    x.rowwise() -= basis.mean;
    Eigen::MatrixXf covariance(x.cols(), x.cols());
    covariance.setZero();
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose(), 1.0F / static_cast<float>(x.rows()));
    basis.axes = leading_axes(covariance.selfadjointView<Eigen::Lower>(), rank).unaryExpr(&half);
    PeerRows held = columns(held_out, basis.live);
    held.rowwise() -= basis.mean;
    basis.held_out = held * basis.axes;
    return basis;
}

struct Group {
    int64_t first = 0, size = 0, bits = 0;
};

/// Rounds a group of one token in place. @return its squared error; @param q  the numbers, if wanted
double round_group(float* c, int64_t n, int64_t bits, uint8_t* q, float* shift_and_scale) {
    const auto [least, most] = std::minmax_element(c, c + n);
    const float levels = static_cast<float>((1 << bits) - 1);
    const float shift = half(*least), scale = half((*most - *least) / levels);
    if (shift_and_scale != nullptr) {
        shift_and_scale[0] = shift;
        shift_and_scale[1] = scale;
    }
    double error = 0;
    for (int64_t i = 0; i < n; i++) {
        const float level = scale > 0 ? std::clamp(std::round((c[i] - shift) / scale), 0.0F, levels) : 0;
        const float back = shift + level * scale;
        error += (back - c[i]) * (back - c[i]);
        c[i] = back;
        if (q != nullptr) q[i] = static_cast<uint8_t>(level);
    }
    return error;
}

double error_of(const PeerRows& c, const Group& g) {
    std::vector<float> row(static_cast<size_t>(g.size));
    double error = 0;
    for (int64_t t = 0; t < c.rows(); t++) {
        std::copy_n(c.row(t).data() + g.first, g.size, row.data());
        error += round_group(row.data(), g.size, g.bits, nullptr, nullptr);
    }
    return error / static_cast<double>(c.rows());
}

struct Option {
    Group group;
    double error = 0;
    int64_t cost_bits = 0;
};

/// Every group that may end at each component. Large ones begin at multiples of 16 beyond the first 64, to save time.
std::vector<std::vector<Option>> options_of(const PeerBasis& basis) {
    const int64_t rank = basis.axes.cols();
    std::vector<std::vector<Option>> ending(static_cast<size_t>(rank + 1));
    for (int64_t first = 0; first < rank; first++) {
        const double energy = basis.held_out.col(first).squaredNorm() / static_cast<double>(basis.held_out.rows());
        ending[static_cast<size_t>(first + 1)].push_back({{first, 1, 0}, energy, 0});
        for (const int64_t size : group_sizes) {
            if (first + size > rank || (size > 1 && first % 16 != 0 && (first > 64 || size > 64))) continue;
            if (size == 1 && first > 256) continue;
            for (const int64_t bits : bit_widths) {
                if (size == 1 && bits != 8) continue;
                const Group group{first, size, bits};
                ending[static_cast<size_t>(first + size)].push_back(
                    {group, error_of(basis.held_out, group), size * bits + (size == 1 ? 8 : group_overhead_bits)});
            }
        }
    }
    return ending;
}

/// Least error + weight * bits.
std::vector<Group> best_groups(const std::vector<std::vector<Option>>& ending, double weight, int64_t& bits) {
    std::vector<double> best(ending.size(), std::numeric_limits<double>::infinity());
    std::vector<const Option*> last(ending.size());
    best[0] = 0;
    for (size_t end = 1; end < ending.size(); end++)
        for (const Option& o : ending[end]) {
            const double sum =
                best[end - static_cast<size_t>(o.group.size)] + o.error + weight * static_cast<double>(o.cost_bits);
            if (sum < best[end]) {
                best[end] = sum;
                last[end] = &o;
            }
        }
    std::vector<Group> groups;
    for (size_t end = ending.size() - 1; end > 0; end -= static_cast<size_t>(last[end]->group.size)) {
        if (last[end]->group.bits > 0) groups.push_back(last[end]->group);
        bits += last[end]->cost_bits;
    }
    return groups;
}

/// For all bases of K, or of V: groups within `budget_bits` per token, by bisection of the weight.
std::vector<std::vector<Group>> allocate(const std::vector<PeerBasis>& bases, double budget_bits) {
    std::vector<std::vector<std::vector<Option>>> options;
    options.reserve(bases.size());
    for (const PeerBasis& basis : bases) options.push_back(options_of(basis));
    double low = -60, high = 60;  // log2 of the weight
    std::vector<std::vector<Group>> best(bases.size());
    for (int i = 0; i < 50; i++) {
        const double middle = (low + high) / 2;
        std::vector<std::vector<Group>> groups;
        int64_t bits = 0;
        for (const auto& o : options) groups.push_back(best_groups(o, std::exp2(middle), bits));
        if (static_cast<double>(bits) <= budget_bits) {
            high = middle;
            best = std::move(groups);
        } else {
            low = middle;
        }
    }
    return best;
}

int64_t deflated(const std::vector<uint8_t>& bytes) {
    uLongf size = compressBound(bytes.size());
    std::vector<uint8_t> out(size);
    if (compress2(out.data(), &size, bytes.data(), bytes.size(), 9) != Z_OK)
        throw EngineError("zlib: compress2 failed");
    return std::min<int64_t>(static_cast<int64_t>(size), static_cast<int64_t>(bytes.size()));
}

std::vector<uint8_t> as_packed_bits(const std::vector<uint8_t>& q, int64_t bits) {
    std::vector<uint8_t> out((q.size() * static_cast<size_t>(bits) + 7) / 8);
    size_t at = 0;
    for (const uint8_t value : q)
        for (int64_t b = 0; b < bits; b++, at++)
            if ((value >> b) & 1) out[at / 8] = static_cast<uint8_t>(out[at / 8] | (1 << (at % 8)));
    return out;
}

/// Rounds the group's columns of all tokens. @return bytes after DEFLATE
int64_t code_group(const Group& g, PeerRows& c) {
    std::vector<uint8_t> q(static_cast<size_t>(c.rows() * g.size)), sides;
    for (int64_t t = 0; t < c.rows(); t++) {
        std::array<float, 2> side{};
        float* at = c.row(t).data() + g.first;
        if (g.size == 1) {  // one number: itself, in half precision
            *at = half(*at);
            side = {*at, 0};
        } else {
            round_group(at, g.size, g.bits, q.data() + t * g.size, side.data());
        }
        for (const float s : side) {
            const ggml_fp16_t h = ggml_fp32_to_fp16(s);
            const auto* b = reinterpret_cast<const uint8_t*>(&h);
            sides.insert(sides.end(), b, b + 2);
            if (g.size == 1) break;
        }
    }
    const int64_t numbers = g.size == 1 ? 0 : std::min(deflated(q), deflated(as_packed_bits(q, g.bits)));
    return numbers + deflated(sides);
}

/// The middle tokens of some layers become what the code says. @return bytes
int64_t code_basis(const PeerBasis& basis, const std::vector<Group>& groups, PeerRows& x) {
    PeerRows live = columns(x, basis.live);
    live.rowwise() -= basis.mean;
    const PeerRows original = live * basis.axes;
    PeerRows c = PeerRows::Zero(original.rows(), original.cols());
    int64_t bytes = 0;
    for (const Group& g : groups) {
        c.middleCols(g.first, g.size) = original.middleCols(g.first, g.size);
        bytes += code_group(g, c);
    }
    live = c * basis.axes.transpose();
    live.rowwise() += basis.mean;
    x.setZero();
    for (size_t i = 0; i < basis.live.size(); i++) x.col(basis.live[i]) = live.col(static_cast<int64_t>(i));
    return bytes;
}

/// First and last tokens as they were, to the bit.
void put_back_raw(const KvTensor& t, int64_t n_cells, std::span<const uint8_t> from, std::string& to) {
    if (t.transposed) throw UsageError("the rival takes plain V only; run with flash attention");
    for (const auto& [first, n] : {std::pair{int64_t{0}, n_sinks}, std::pair{n_cells - n_window, n_window}})
        std::memcpy(to.data() + t.offset_bytes + first * t.row_bytes,
                    from.data() + t.offset_bytes + first * t.row_bytes, static_cast<size_t>(n * t.row_bytes));
}

template <class T>
void put(std::ofstream& out, const T* data, int64_t n) {
    out.write(reinterpret_cast<const char*>(&n), sizeof n);
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(sizeof(T) * static_cast<size_t>(n)));
}

template <class T>
std::vector<T> get(std::ifstream& in) {
    int64_t n = 0;
    in.read(reinterpret_cast<char*>(&n), sizeof n);
    if (!in || n < 0 || n > (int64_t{1} << 32)) throw FormatError("the rival's file is damaged: learn it again");
    std::vector<T> v(static_cast<size_t>(n));
    in.read(reinterpret_cast<char*>(v.data()), static_cast<std::streamsize>(sizeof(T) * v.size()));
    return v;
}

PeerRows as_rows(const std::vector<float>& x, int64_t cols) {
    return Eigen::Map<const PeerRows>(x.data(), static_cast<int64_t>(x.size()) / std::max<int64_t>(cols, 1), cols);
}

}  // namespace

int64_t Peer::size_bytes() const {
    int64_t n = 0;
    for (const auto* bases : {&k, &v})
        for (const PeerBasis& basis : *bases) n += 2 * (basis.axes.size() + basis.mean.size());
    return n;
}

Peer learn_peer(Session& session, const Model& model, const CalibrationText& text, const KvProfile& shapes,
                int64_t span, int64_t rank, int64_t n_chunks, int n_threads) {
    const CalibrationChunks all = cut_into_chunks(model, text.text, shapes.n_ctx);
    Chunks chunks = spread_chunks(all.statistics, n_chunks);
    chunks.push_back(all.selection.front());  // held out: bits are chosen on it
    Session context(session, {.n_ctx = shapes.n_ctx, .n_threads = n_threads});
    std::vector<std::vector<KvLayerValues>> pieces;
    for (const std::vector<int32_t>& chunk : chunks) {
        const std::string cache = prefill(context, chunk);
        const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(cache.data()), cache.size());
        const KvState state = read_kv_state(bytes, "cache");
        std::vector<KvLayerValues>& layers = pieces.emplace_back();
        for (int64_t l = 0; l < model.n_layer; l++) layers.push_back(read_layer(state, bytes, heads_of(shapes), l));
    }
    Peer peer;
    peer.n_layer = model.n_layer;
    peer.span = span;
    peer.width_k = shapes.layers.front().n_head_kv * shapes.d_k;
    peer.width_v = shapes.layers.front().n_head_kv * shapes.d_v;
    const int64_t n = shapes.n_ctx - n_sinks;
    for (const bool is_value : {false, true})
        for (int64_t l = 0; l < model.n_layer; l += span) {
            const int64_t width = is_value ? peer.width_v : peer.width_k;
            PeerRows fit(n * static_cast<int64_t>(pieces.size() - 1), span * width);
            for (size_t p = 0; p + 1 < pieces.size(); p++)
                fit.middleRows(static_cast<int64_t>(p) * n, n) =
                    gather(pieces[p], is_value, l, span, width, n_sinks, n);
            const PeerRows held = gather(pieces.back(), is_value, l, span, width, n_sinks, n);
            PeerRows some(n_held_out, held.cols());
            for (int64_t t = 0; t < n_held_out; t++) some.row(t) = held.row(t * n / n_held_out);
            (is_value ? peer.v : peer.k).push_back(learn_basis(fit, some, rank * span));
        }
    return peer;
}

void write_peer(const Peer& peer, const std::filesystem::path& path) {
    std::ofstream out(path, std::ios::binary);
    const std::array<int64_t, 4> shape = {peer.n_layer, peer.span, peer.width_k, peer.width_v};
    put(out, shape.data(), 4);
    for (const auto* bases : {&peer.k, &peer.v})
        for (const PeerBasis& b : *bases) {
            put(out, b.live.data(), static_cast<int64_t>(b.live.size()));
            put(out, b.mean.data(), b.mean.size());
            put(out, b.axes.data(), b.axes.size());
            put(out, b.held_out.data(), b.held_out.size());
        }
    if (!out.flush()) throw EngineError(fmt::format("write {}: failed", path.string()));
}

Peer read_peer(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw UsageError(fmt::format("{}: no such file; kv_lossy peer makes it", path.string()));
    const std::vector<int64_t> shape = get<int64_t>(in);
    Peer peer{shape.at(0), shape.at(1), shape.at(2), shape.at(3), {}, {}};
    for (auto* bases : {&peer.k, &peer.v})
        for (int64_t l = 0; l < peer.n_layer; l += peer.span) {
            PeerBasis& b = bases->emplace_back();
            b.live = get<int64_t>(in);
            const std::vector<float> mean = get<float>(in);
            b.mean = Eigen::Map<const Eigen::RowVectorXf>(mean.data(), static_cast<int64_t>(mean.size()));
            const std::vector<float> axes = get<float>(in);
            b.axes = as_rows(axes, static_cast<int64_t>(axes.size() / std::max<size_t>(b.live.size(), 1)));
            b.held_out = as_rows(get<float>(in), b.axes.cols());
        }
    return peer;
}

PeerPacked pack_with_peer(const Peer& peer, const KvProfile& shapes, const KvState& state,
                          std::span<const uint8_t> bytes, double ratio) {
    const auto n = static_cast<int64_t>(positions_of(state).size()), middle = n - n_sinks - n_window;
    if (middle < 1)
        throw UsageError(fmt::format("{} tokens: the rival keeps the first 4 and the last 128 as they are", n));
    std::array<std::vector<std::vector<Group>>, 2> groups;
    for (const bool is_value : {false, true})
        groups[is_value ? 1 : 0] =
            allocate(is_value ? peer.v : peer.k,
                     16.0 / ratio * static_cast<double>(peer.n_layer * (is_value ? peer.width_v : peer.width_k)));
    PeerPacked packed;
    const double begin = now();
    std::vector<KvLayerValues> layers;
    for (int64_t l = 0; l < peer.n_layer; l++) layers.push_back(read_layer(state, bytes, heads_of(shapes), l));
    for (const bool is_value : {false, true})
        for (int64_t l = 0; l < peer.n_layer; l += peer.span) {
            const int64_t width = is_value ? peer.width_v : peer.width_k;
            const auto at = static_cast<size_t>(l / peer.span);
            PeerRows x = gather(layers, is_value, l, peer.span, width, n_sinks, middle);
            packed.size_bytes += code_basis((is_value ? peer.v : peer.k)[at], groups[is_value ? 1 : 0][at], x);
            for (int64_t s = 0; s < peer.span; s++) {
                KvLayerValues& layer = layers[static_cast<size_t>(l + s)];
                Eigen::Map<PeerRows>((is_value ? layer.v : layer.k).data() + n_sinks * width, middle, width) =
                    x.middleCols(s * width, width);
            }
        }
    packed.pack_s = now() - begin;
    packed.restored.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (int64_t l = 0; l < peer.n_layer; l++)
        write_layer(state, heads_of(shapes), l, layers[static_cast<size_t>(l)],
                    {reinterpret_cast<uint8_t*>(packed.restored.data()), packed.restored.size()});
    for (const KvTensor* t : kv_tensors(state)) {
        put_back_raw(*t, n, bytes, packed.restored);
        packed.size_bytes += (n_sinks + n_window) * t->row_bytes;
    }
    return packed;
}

}  // namespace ech0
