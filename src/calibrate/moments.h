#pragma once

// The second moment of what enters a linear map, H = mean x x' over the calibration text: what error feedback needs to
// know of the data. Wide inputs are cut into ranges of columns whose cross moments are not kept (a 27,648-wide input
// would need 3 GB); experts have moments of their own where memory allows.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/matrix.h"
#include "ech0/calibration.h"
#include "ech0/progress.h"
#include "runtime/walk.h"

namespace ech0 {

struct ColumnRange {
    int64_t first = 0, n = 0;
};

/// How much of them is kept, which decides how much memory they take.
struct MomentLimits {
    int64_t widest = 8192;                      ///< columns whose cross moments are kept together
    int64_t expert_bytes = int64_t{1} << 30;    ///< experts of one input that together need more share one moment
    int64_t together_bytes = int64_t{2} << 30;  ///< inputs whose moments are gathered in one run
};

/// All columns, in equal parts (multiples of 256 where the width is one) of at most `widest`.
std::vector<ColumnRange> column_ranges(int64_t n_cols, int64_t widest = MomentLimits().widest);

/// Matrices in a tensor: 1, or the number of experts.
int64_t n_mat_of(const Tensor& tensor);

/// What the moments of this tensor's input take in memory.
int64_t moment_bytes(const Tensor& tensor, const MomentLimits& limits);

/// Moments of one input: per matrix that reads it (1, or experts) and per range of columns.
class Moments {
public:
    Moments() = default;
    /// @param n_mat  1, or the number of experts; experts that would take too much memory share one
    Moments(int64_t n_cols, int64_t n_mat, const MomentLimits& limits = {});

    void add(int64_t matrix, const float* x, int64_t n_rows, int n_threads);
    /// Sums become means; to be called once, after the last add.
    void finish();

    /// Means over both parts of a text, both finished.
    void join(const Moments& other);

    /// H of a range for one matrix, [n, n]. An expert that saw few tokens is helped by all tokens together: its own
    /// moment counts as its tokens, the common one as many as the range has columns.
    Matrix of(int64_t matrix, size_t range) const;

    int64_t n_cols() const { return n_cols_; }
    const std::vector<ColumnRange>& ranges() const { return ranges_; }
    int64_t n_mat() const { return static_cast<int64_t>(count_.size()); }
    double n_tokens(int64_t matrix) const { return count_[static_cast<size_t>(std::min(matrix, n_mat() - 1))]; }
    /// Mean square of each column, [n_mat, n_cols].
    Importance importance(const std::string& tensor) const;

    /// @throws FileError
    void write(const std::filesystem::path& file) const;
    static Moments read(const std::filesystem::path& file);

private:
    int64_t n_cols_ = 0, widest_ = 0;
    std::vector<ColumnRange> ranges_;
    std::vector<double> count_;  // [n_mat]
    std::vector<Matrix> h_;      // [n_mat x n_ranges]
};

/// Moments on disk, one file per input (float32, the upper triangle), in a folder with an index.
class MomentStore {
public:
    explicit MomentStore(std::filesystem::path folder);
    bool has(const std::string& tensor) const { return file_of_.contains(tensor); }
    /// @throws FileError
    Moments get(const std::string& tensor) const;
    /// Tensors that read one input share its moments.
    void put(const std::vector<std::string>& tensors, const Moments& moments);

    /// All inputs are there, gathered as this says (its tensors are not kept).
    void complete(const Calibration& of);
    /// What `complete` was told; nothing before.
    const std::optional<Calibration>& of() const { return of_; }

private:
    void write_index() const;

    std::filesystem::path folder_;
    std::map<std::string, std::string> file_of_;
    std::optional<Calibration> of_;
};

/// One walk of the model over the chunks; moments go to the store, their diagonals into the result. Inputs that the
/// store has already are only passed through.
/// @throws EngineError (activations that are no numbers), FileError, Interrupted
Calibration gather_moments(const Model& model, const Weights& weights, const Chunks& chunks, int64_t n_ctx,
                           int n_threads, MomentStore& store, const Progress& progress, const MomentLimits& limits = {},
                           const std::shared_ptr<Spill>& spill = nullptr);

}  // namespace ech0
