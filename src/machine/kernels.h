#pragma once

// How fast this machine multiplies each type of weights. Generating a token reads every weight once, so its time is
// mostly bytes over bandwidth; but a type that is laborious to unpack is slower than memory, by how much depends on
// processor and engine, and only a measurement knows. So we time the engine's own kernels on weights that no cache
// holds, and remember the result.

#include <ggml.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace ech0 {

/// One type of weights, on one device with so many threads.
struct KernelSpeed {
    double read_bytes_per_s = 0;  ///< weights read while one vector is multiplied: what generation is bound by
    double flops_per_s = 0;       ///< of a batch of tokens: what reading a prompt is bound by
    double spread = 0;            ///< (slowest - fastest) / fastest of the passes: how noisy it was
};

/// What was measured, as plain figures, for some types of weights and of caches.
struct KernelTable {
    int n_threads = 0;
    std::map<ggml_type, KernelSpeed> speeds;
    std::map<ggml_type, double> attention_flops_per_s;  ///< by the cache's type
    double overhead_s_per_node = 0;
};

/// What a model's speed is made of, measured on the device that runs the weights.
class Kernels {
public:
    /// Remembered figures for this processor, engine and number of threads are read from the cache folder.
    explicit Kernels(int n_threads);

    int n_threads() const { return n_threads_; }
    const std::string& device() const { return device_; }

    /// Measured now unless remembered (about 0.1 s). @throws EngineError
    const KernelSpeed& of(ggml_type type);
    /// Attention of one new token over a cache of this type: floating point operations per second.
    double attention_flops_per_s(ggml_type kv_type);
    /// What each operation of a graph takes beside the bytes it reads: threads that wait for each other, memory that
    /// has to get going, norms and the like.
    double overhead_s_per_node();
    /// All of it for these types.
    KernelTable table(const std::set<ggml_type>& types, const std::set<ggml_type>& kv_types);

    /// The largest share of a measurement that its threads waited for a processor: above busy_share the figures are
    /// those of a busy machine, and forgotten after some minutes.
    double waited_share() const { return waited_share_; }
    static constexpr double busy_share = 0.1;

    /// Keep what was measured. @throws FileError
    void remember() const;

private:
    int n_threads_;
    std::string device_, key_;
    std::filesystem::path file_;
    std::map<int, KernelSpeed> speeds_;
    std::map<int, double> attention_;
    double overhead_s_ = 0;
    double waited_share_ = 0;
    bool changed_ = false;
};

}  // namespace ech0
