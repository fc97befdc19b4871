#pragma once

// Segments: some layers of a model as a model of their own.
//
// A model that is larger than memory can still be run, layer by layer: the engine is given the metadata of a model
// that has only layers first…last, their weights, and as input the hidden states that the layer before put out. It
// computes them with its own kernels, so a chain of segments gives what the whole model gives (tests/runtime shows
// equality). Everything that must see activations (calibration, sensitivity, checking a plan) walks the model this
// way and holds one segment and the hidden states in memory.
//
// Architectures differ in what depends on a layer's index; those we have checked are split per layer, any other is
// one segment that is the whole model (see split_into_segments).

#include <ggml-cpp.h>
#include <llama-cpp.h>

#include <exception>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "runtime/weights.h"

namespace ech0 {

/// Layers first…last (inclusive). A segment takes hidden states, unless it is the whole model, and gives hidden states,
/// unless it has the head.
struct SegmentRange {
    int64_t first = 0, last = 0;
    bool from_tokens = false;
    bool with_head = false;
};

/// The finest division of this model that the engine can run.
std::vector<SegmentRange> split_into_segments(const Model& model);

/// Called for each product with a weight while a segment runs, with the inputs of that product.
struct ActivationSink {
    std::function<bool(const std::string& tensor)> wants;
    /// @param x  row-major [n_rows, n_cols]; @param matrix  index of the expert, 0 for a plain weight
    std::function<void(const std::string& tensor, int64_t matrix, const float* x, int64_t n_rows, int64_t n_cols)> take;
    /// Also the nodes of the graph called `node`-<layer>, such as "ffn_inp"; matrix is -1. Optional.
    std::string node = {};
    /// Before the inputs of a product with experts: which expert each token chose, [n_tokens, n_used]. Optional.
    std::function<void(const std::string& tensor, std::span<const int32_t> experts, int64_t n_used)> chose = {};
    /// Asked after each take: true ends the run there, and what run() gives is not to be used. Optional.
    std::function<bool()> enough = {};
};

/// What goes into a segment: tokens for a whole model, hidden states [n_tokens, n_embd] else.
struct SegmentInput {
    std::span<const int32_t> tokens;
    std::span<const float> hidden;
};

struct SegmentOptions {
    int64_t n_ctx = 512;  ///< longest sequence that run() is given
    int n_threads = 0;    ///< 0 = all cores
};

class Segment {
public:
    /// @throws EngineError if the engine refuses the layers; Interrupted
    Segment(const Model& model, const SegmentRange& range, const Weights& weights, const SegmentOptions& options);
    Segment(Segment&&) = delete;

    /// Run one sequence from its beginning. @return [n_tokens, n_embd] hidden states after the last layer, or
    /// [n_tokens, n_vocab] logits if the segment has the head; valid until the next call.
    std::span<const float> run(const SegmentInput& input, const ActivationSink* sink = nullptr);

    /// The weights that are multiplied, in the order of the graph; those that read the same input stand together.
    std::vector<std::vector<std::string>> products_by_input(const SegmentInput& input);

    /// Replace a weight's bytes (same type and shape) until it is set again.
    /// @param tensor  its name in the source model; token_embd.weight also replaces a tied output
    void set(const std::string& tensor, std::span<const std::byte> bytes);

    const SegmentRange& range() const { return range_; }
    int64_t size_bytes() const { return static_cast<int64_t>(llama_model_size(model_.get())); }

private:
    static void on_fill(ggml_tensor* tensor, void* self);
    static bool on_eval(ggml_tensor* tensor, bool ask, void* self);
    void fill(ggml_tensor* tensor);
    bool observe(ggml_tensor* tensor, bool ask);
    void feed_sink(const ggml_tensor* product, const std::string& weight);
    void fetch(const ggml_tensor* tensor);
    void list_product(const ggml_tensor* product, const std::string& weight);
    std::string source_name(const std::string& engine_name) const;

    const Model& source_;
    SegmentRange range_;
    bool output_is_tied_ = false;
    std::string out_name_;              // the engine's name of the hidden states we want
    const Weights* weights_ = nullptr;  // only while loading
    std::exception_ptr failure_;        // what a callback threw, until we are back out of C
    std::map<std::string, std::vector<ggml_tensor*>>
        slots_;  // by source name; a tied output is a slot of its embedding
    llama_model_ptr model_;
    llama_context_ptr ctx_;
    const ActivationSink* sink_ = nullptr;
    std::vector<std::pair<const ggml_tensor*, std::vector<std::string>>>* products_ = nullptr;  // while listing them
    std::vector<float> out_, activations_;
    std::vector<int32_t> chosen_;  // experts, [n_tokens, n_used]
};

}  // namespace ech0
