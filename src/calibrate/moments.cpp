#include "calibrate/moments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Groups = std::vector<std::vector<std::string>>;

const Tensor* matrix_of(const Model& model, const std::string& name) {
    const Tensor* tensor = model.find(name);
    return tensor != nullptr && tensor->shape.size() >= 2 ? tensor : nullptr;
}

/// One matrix's moment, all ranges.
int64_t moment_bytes(const std::vector<ColumnRange>& ranges) {
    int64_t bytes = 0;
    for (const ColumnRange& r : ranges) bytes += r.n * r.n * static_cast<int64_t>(sizeof(float));
    return bytes;
}

/// One matrix's moment on disk: the upper triangles.
int64_t stored_bytes(const std::vector<ColumnRange>& ranges) {
    int64_t bytes = 0;
    for (const ColumnRange& r : ranges) bytes += r.n * (r.n + 1) / 2 * static_cast<int64_t>(sizeof(float));
    return bytes;
}

/// Of so many matrices, how many moments are kept: one each, or one for all.
int64_t kept_moments(int64_t n_mat, int64_t bytes_each, const MomentLimits& limits) {
    return n_mat > 1 && n_mat * bytes_each > limits.expert_bytes ? 1 : n_mat;
}

/// Groups whose moments fit into memory together, in order. One layer's always do; a model that can only be run whole
/// has hundreds of inputs.
std::vector<Groups> batches_of(const Groups& groups, const Model& model, const MomentLimits& limits) {
    std::vector<Groups> batches(1);
    int64_t bytes = 0;
    for (const auto& group : groups) {
        const Tensor& tensor = *matrix_of(model, group.front());
        const int64_t mine = moment_bytes(tensor, limits);
        if (!batches.back().empty() && bytes + mine > limits.together_bytes) {
            batches.emplace_back();
            bytes = 0;
        }
        batches.back().push_back(group);
        bytes += mine;
    }
    return batches;
}

/// One segment's moments of these inputs, in one run per chunk. With `advance` the hidden states go on to the next
/// segment.
std::vector<Moments> pass_segment(Segment& segment, const Groups& groups, const Model& model, const Chunks& chunks,
                                  HiddenStates& hidden, bool advance, int n_threads, const MomentLimits& limits) {
    std::map<std::string, size_t> group_of;
    std::vector<Moments> moments;
    for (const auto& group : groups) {
        const Tensor& tensor = *matrix_of(model, group.front());
        group_of[group.front()] = moments.size();
        moments.emplace_back(tensor.n_cols(), n_mat_of(tensor), limits);
    }
    const bool has_head = segment.range().with_head;
    bool all_seen = false;
    ActivationSink sink;
    sink.wants = [&](const std::string& tensor) { return group_of.contains(tensor); };
    sink.take = [&](const std::string& tensor, int64_t matrix, const float* x, int64_t n_rows, int64_t) {
        moments[group_of.at(tensor)].add(matrix, x, n_rows, n_threads);
        all_seen = has_head && tensor == groups.back().front();
    };
    sink.enough = [&] { return all_seen; };  // logits are not asked for
    for (size_t c = 0; c < chunks.size(); c++) {
        check_interrupt();
        if (has_head && groups.empty()) break;
        const std::span<const float> out =
            segment.run(input_of(segment.range(), chunks, hidden, c), groups.empty() ? nullptr : &sink);
        if (!has_head && advance) hidden.put(c, out);
    }
    for (Moments& m : moments) m.finish();
    return moments;
}

}  // namespace

std::vector<ColumnRange> column_ranges(int64_t n_cols, int64_t widest) {
    const int64_t n_ranges = (n_cols + widest - 1) / widest;
    const int64_t step = n_cols % 256 == 0 ? 256 : n_cols % 64 == 0 ? 64 : n_cols % 32 == 0 ? 32 : 1;
    std::vector<ColumnRange> ranges;
    for (int64_t i = 0; i < n_ranges; i++) {
        const int64_t first = n_cols * i / n_ranges / step * step;
        const int64_t end = i + 1 == n_ranges ? n_cols : n_cols * (i + 1) / n_ranges / step * step;
        ranges.push_back({first, end - first});
    }
    return ranges;
}

int64_t n_mat_of(const Tensor& tensor) { return tensor.shape.size() > 2 ? tensor.shape[2] : 1; }

int64_t moment_bytes(const Tensor& tensor, const MomentLimits& limits) {
    const int64_t each = moment_bytes(column_ranges(tensor.n_cols(), limits.widest));
    return each * kept_moments(n_mat_of(tensor), each, limits);
}

Moments::Moments(int64_t n_cols, int64_t n_mat, const MomentLimits& limits)
    : n_cols_(n_cols), widest_(limits.widest), ranges_(column_ranges(n_cols, limits.widest)) {
    count_.resize(static_cast<size_t>(kept_moments(n_mat, moment_bytes(ranges_), limits)));
    for (size_t m = 0; m < count_.size(); m++)
        for (const ColumnRange& r : ranges_) h_.push_back(Matrix::Zero(r.n, r.n));
}

void Moments::add(int64_t matrix, const float* x, int64_t n_rows, int n_threads) {
    const auto m = static_cast<size_t>(std::min(matrix, n_mat() - 1));
    for (size_t r = 0; r < ranges_.size(); r++) {
        const float* from = x + ranges_[r].first;
        add_products(from, n_cols_, from, n_cols_, n_rows, n_threads, h_[m * ranges_.size() + r]);
    }
    count_[m] += static_cast<double>(n_rows);
}

void Moments::finish() {
    for (size_t i = 0; i < h_.size(); i++) {
        const double count = count_[i / ranges_.size()];
        if (count > 0) h_[i] /= static_cast<float>(count);
        mirror(h_[i]);
        if (!h_[i].allFinite())
            throw EngineError("activations are NaN or infinite: the model itself is broken on this text");
    }
}

void Moments::join(const Moments& other) {
    for (size_t i = 0; i < h_.size(); i++) {
        const size_t m = i / ranges_.size();
        const double total = count_[m] + other.count_[m];
        if (total <= 0) continue;
        h_[i] =
            static_cast<float>(count_[m] / total) * h_[i] + static_cast<float>(other.count_[m] / total) * other.h_[i];
    }
    for (size_t m = 0; m < count_.size(); m++) count_[m] += other.count_[m];
}

Matrix Moments::of(int64_t matrix, size_t range) const {
    if (n_mat() == 1) return h_[range];
    const auto m = static_cast<size_t>(matrix);
    const auto prior = static_cast<double>(ranges_[range].n);
    Matrix common = Matrix::Zero(ranges_[range].n, ranges_[range].n);
    double total = 0;
    for (size_t e = 0; e < count_.size(); e++) {
        common += static_cast<float>(count_[e]) * h_[e * ranges_.size() + range];
        total += count_[e];
    }
    if (total <= 0) return Matrix::Identity(ranges_[range].n, ranges_[range].n);
    const double own = count_[m] / (count_[m] + prior);
    return static_cast<float>(own) * h_[m * ranges_.size() + range] + static_cast<float>((1 - own) / total) * common;
}

Importance Moments::importance(const std::string& tensor) const {
    Importance result{tensor, n_cols_, n_mat(), {}, {}};
    for (size_t m = 0; m < count_.size(); m++) {
        result.count.push_back(static_cast<float>(count_[m]));
        for (size_t r = 0; r < ranges_.size(); r++) {
            const Matrix& h = h_[m * ranges_.size() + r];
            for (int64_t j = 0; j < h.rows(); j++) result.sum_square.push_back(h(j, j) * static_cast<float>(count_[m]));
        }
    }
    return result;
}

void Moments::write(const std::filesystem::path& target) const {
    AtomicFile file(target);
    const int64_t head[3] = {n_cols_, n_mat(), widest_};
    file.write(head, sizeof(head));
    file.write(count_.data(), count_.size() * sizeof(double));
    for (const Matrix& h : h_)
        for (int64_t i = 0; i < h.rows(); i++)
            file.write(h.row(i).data() + i, static_cast<size_t>(h.cols() - i) * sizeof(float));
    file.commit();
}

Moments Moments::read(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    const uint8_t *at = mapped.data(), *const end = at + mapped.size_bytes();
    const auto refuse = [&] { throw FormatError(file.string() + ": is cut off; remove it and run again"); };
    const auto take = [&](void* to, size_t n) {
        if (static_cast<size_t>(end - at) < n) refuse();
        std::memcpy(to, at, n);
        at += n;
    };
    int64_t head[3];
    take(head, sizeof(head));
    if (head[0] < 1 || head[0] > (1 << 24) || head[1] < 1 || head[1] > (1 << 16) || head[2] < 1)
        throw FormatError(fmt::format("{}: {} columns, {} matrices, {} together: no moments of ours", file.string(),
                                      head[0], head[1], head[2]));
    Moments m;
    m.n_cols_ = head[0];
    m.widest_ = head[2];
    m.ranges_ = column_ranges(head[0], head[2]);
    const int64_t per_matrix = static_cast<int64_t>(sizeof(double)) + stored_bytes(m.ranges_);
    if (end - at < per_matrix * head[1]) refuse();  // before memory is asked for
    m.count_.assign(static_cast<size_t>(head[1]), 0);
    take(m.count_.data(), m.count_.size() * sizeof(double));
    for (size_t i = 0; i < m.count_.size(); i++)
        for (const ColumnRange& r : m.ranges_) {
            Matrix& h = m.h_.emplace_back(r.n, r.n);
            for (int64_t row = 0; row < r.n; row++)
                take(h.row(row).data() + row, static_cast<size_t>(r.n - row) * sizeof(float));
            mirror(h);
        }
    return m;
}

MomentStore::MomentStore(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) throw FileError(fmt::format("{}: cannot make this folder: {}", folder_.string(), error.message()));
    if (!std::filesystem::exists(folder_ / "index.json", error)) return;
    try {
        const nlohmann::json index = nlohmann::json::parse(read_file(folder_ / "index.json"));
        file_of_ = index.at("files").get<std::map<std::string, std::string>>();
        if (index.contains("of")) {
            const nlohmann::json& of = index.at("of");
            of_ = {of.at("source_sha256"), of.at("text_sha256"), of.at("text_name"),
                   of.at("n_tokens"),      of.at("n_ctx"),       {}};
        }
    } catch (const nlohmann::json::exception&) {
        throw FormatError((folder_ / "index.json").string() + ": no index of moments; remove the folder");
    }
    for (const auto& [tensor, file] : file_of_)
        if (std::filesystem::path(file).has_parent_path())
            throw FormatError((folder_ / "index.json").string() + ": names a file outside its folder");
}

void MomentStore::write_index() const {
    nlohmann::json index = {{"schema", "ech0.moments/1"}, {"files", file_of_}};
    if (of_)
        index["of"] = {{"source_sha256", of_->source_sha256},
                       {"text_sha256", of_->text_sha256},
                       {"text_name", of_->text_name},
                       {"n_tokens", of_->n_tokens},
                       {"n_ctx", of_->n_ctx}};
    write_file(folder_ / "index.json", index.dump());
}

void MomentStore::complete(const Calibration& of) {
    of_ = {of.source_sha256, of.text_sha256, of.text_name, of.n_tokens, of.n_ctx, {}};
    write_index();
}

Moments MomentStore::get(const std::string& tensor) const {
    const auto found = file_of_.find(tensor);
    if (found == file_of_.end()) throw UsageError("no second moments of " + tensor);
    return Moments::read(folder_ / found->second);
}

void MomentStore::put(const std::vector<std::string>& tensors, const Moments& moments) {
    const std::string file = tensors.front() + ".moments";
    moments.write(folder_ / file);
    for (const std::string& tensor : tensors) file_of_[tensor] = file;
    write_index();
}

Calibration gather_moments(const Model& model, const Weights& weights, const Chunks& chunks, int64_t n_ctx,
                           int n_threads, MomentStore& store, const Progress& progress, const MomentLimits& limits,
                           const std::shared_ptr<Spill>& spill) {
    const std::vector<SegmentRange> ranges = split_into_segments(model);
    HiddenStates hidden(spill);
    if (!ranges.front().from_tokens) hidden = enter(model, weights, chunks, spill);
    std::map<std::string, Importance> gathered;
    Calibration calibration;
    calibration.n_ctx = n_ctx;
    calibration.n_tokens = static_cast<int64_t>(chunks.size()) * n_ctx;
    for (size_t i = 0; i < ranges.size(); i++) {
        if (progress) progress("calibrate", static_cast<int64_t>(i), static_cast<int64_t>(ranges.size()));
        Segment segment(model, ranges[i], weights, {n_ctx, n_threads});
        Groups open;
        for (auto& group : segment.products_by_input(input_of(ranges[i], chunks, hidden, 0))) {
            std::erase_if(group, [&](const std::string& t) { return matrix_of(model, t) == nullptr; });
            if (!group.empty() && !store.has(group.front())) open.push_back(group);
        }
        const std::vector<Groups> batches = batches_of(open, model, limits);
        for (size_t b = 0; b < batches.size(); b++) {
            const std::vector<Moments> moments =
                pass_segment(segment, batches[b], model, chunks, hidden, b + 1 == batches.size(), n_threads, limits);
            for (size_t g = 0; g < batches[b].size(); g++) {
                store.put(batches[b][g], moments[g]);
                for (const std::string& tensor : batches[b][g]) gathered[tensor] = moments[g].importance(tensor);
            }
        }
    }
    for (const Tensor& tensor : model.tensors)
        if (const auto mine = gathered.find(tensor.name); mine != gathered.end())
            calibration.tensors.push_back(std::move(mine->second));
        else if (store.has(tensor.name))  // by an earlier run
            calibration.tensors.push_back(store.get(tensor.name).importance(tensor.name));
    return calibration;
}

}  // namespace ech0
