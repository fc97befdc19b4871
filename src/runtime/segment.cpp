#include "runtime/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"
#include "runtime/segment_metadata.h"

namespace ech0 {
namespace {

bool stop_requested(void*) { return interrupted(); }

/// "blk.12.ffn_up.weight" -> 12 and ".ffn_up.weight"; layer -1 if the tensor belongs to no layer.
struct LayerName {
    int64_t layer = -1;
    std::string rest;
};

LayerName split_name(const std::string& name) {
    if (!name.starts_with("blk.")) return {-1, name};
    LayerName parts;
    const char* begin = name.data() + 4;
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), parts.layer);
    if (error != std::errc()) return {-1, name};
    parts.rest = std::string(end, name.data() + name.size());
    return parts;
}

/// Tensors the engine creates although the source has none (it asks a user-made model for every optional one) must
/// change nothing: biases add 0, scales and rope factors multiply by 1. Anything else would be a guess.
bool neutral_value(const std::string& name, float& value) {
    const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    if (has("scale") || has("rope_freqs") || has("rope_factors") || name == "output_norm.weight")
        value = 1.0F;
    else if (name.ends_with(".bias") || !name.starts_with("blk."))
        value = 0.0F;
    else
        return false;
    return true;
}

void fill_with(ggml_tensor* tensor, float value) {
    std::vector<float> floats(static_cast<size_t>(ggml_nelements(tensor)), value);
    if (tensor->type == GGML_TYPE_F32)
        ggml_backend_tensor_set(tensor, floats.data(), 0, ggml_nbytes(tensor));
    else
        ggml_backend_tensor_memset(tensor, 0, 0, ggml_nbytes(tensor));
}

/// "ffn_inp-3" is a node "ffn_inp".
bool is_node(std::string_view name, std::string_view node) {
    return name.size() > node.size() + 1 && name.starts_with(node) && name[node.size()] == '-' &&
           name.find_first_not_of("0123456789", node.size() + 1) == std::string_view::npos;
}

}  // namespace

std::vector<SegmentRange> split_into_segments(const Model& model) {
    // Checked against the whole model (tests/runtime/segment_test.cpp), or of the same graph as one that was.
    static const std::set<std::string, std::less<>> per_layer = {"llama",    "qwen2",    "qwen3", "gemma3",
                                                                 "qwen2moe", "qwen3moe", "deci",  "phi3"};
    // The engine recognizes the 27B of Gemma 3 by its 62 layers and scales its attention differently.
    const bool index_matters = model.architecture == "gemma3" && model.n_layer == 62;
    if (!per_layer.contains(model.architecture) || index_matters) return {{0, model.n_layer - 1, true, true}};
    std::vector<SegmentRange> ranges;
    for (int64_t i = 0; i < model.n_layer; i++) {
        // The engine makes no context without a KV cache, and takes the width of heads from the first layer: a layer
        // without attention (deci) goes with those before it.
        const bool alone = ranges.empty() || model.n_head_kv[static_cast<size_t>(i)] > 0;
        if (alone) ranges.push_back({i, i, false, false});
        ranges.back().last = i;
    }
    ranges.back().with_head = true;
    return ranges;
}

Segment::Segment(const Model& model, const SegmentRange& range, const Weights& weights, const SegmentOptions& options)
    : source_(model),
      range_(range),
      output_is_tied_(range.with_head && model.find("output.weight") == nullptr),
      out_name_(range.with_head ? "" : fmt::format("l_out-{}", range.last - range.first)),
      weights_(&weights) {
    start_engine();
    clear_engine_message();
    const SegmentMetadata metadata = segment_metadata(model, range, weights);
    llama_model_params model_params = llama_model_default_params();
    model_.reset(llama_model_init_from_user(metadata.gguf.get(), on_fill, this, model_params));
    weights_ = nullptr;
    if (failure_) std::rethrow_exception(failure_);
    if (!model_)
        throw engine_error(fmt::format("make a model of layers {} to {} of {}", range.first, range.last,
                                       model.files.front().string()));

    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = static_cast<uint32_t>(options.n_ctx);
    params.n_threads = params.n_threads_batch = options.n_threads > 0 ? options.n_threads : default_threads();
    params.cb_eval = on_eval;
    params.cb_eval_user_data = this;
    params.abort_callback = stop_requested;
    params.no_perf = true;
    ctx_.reset(llama_init_from_model(model_.get(), params));
    if (!ctx_)
        throw engine_error(
            fmt::format("create a context of {} tokens for layers {} to {}", options.n_ctx, range.first, range.last));
}

std::string Segment::source_name(const std::string& engine_name) const {
    if (engine_name == "output.weight" && output_is_tied_) return "token_embd.weight";
    const LayerName parts = split_name(engine_name);
    return parts.layer < 0 ? engine_name : fmt::format("blk.{}{}", parts.layer + range_.first, parts.rest);
}

void Segment::on_fill(ggml_tensor* tensor, void* self) {
    auto* segment = static_cast<Segment*>(self);
    if (segment->failure_) return;
    try {
        segment->fill(tensor);
    } catch (...) {
        segment->failure_ = std::current_exception();
    }
}

void Segment::fill(ggml_tensor* tensor) {
    check_interrupt();
    const std::string name = source_name(tensor->name);
    const Tensor* source = source_.find(name);
    const bool embedding_not_used =
        name == "token_embd.weight" && std::string(tensor->name) == name && !range_.from_tokens;
    const bool head_not_used = !range_.with_head && (name == "output.weight" || name == "output_norm.weight");
    if (source == nullptr || embedding_not_used || head_not_used) {
        float value = 0;
        if (source == nullptr && !neutral_value(name, value))
            throw EngineError(
                fmt::format("the engine asks for a tensor {} that {} has not", name, source_.files.front().string()));
        fill_with(tensor, value);
        return;
    }
    std::vector<std::byte> scratch;
    const std::span<const std::byte> bytes = weights_->bytes(*source, scratch);
    if (bytes.empty()) return;  // what it holds is not used
    if (bytes.size() != ggml_nbytes(tensor))
        throw FormatError(fmt::format("tensor {}: the engine wants {} bytes ({} x {} of {}), the file has {}", name,
                                      ggml_nbytes(tensor), tensor->ne[0], ggml_nrows(tensor),
                                      ggml_type_name(tensor->type), bytes.size()));
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
    slots_[name].push_back(tensor);
    if (weights_->release) weights_->release(*source);
}

void Segment::set(const std::string& tensor, std::span<const std::byte> bytes) {
    const auto found = slots_.find(tensor);
    if (found == slots_.end())
        throw UsageError(fmt::format("layers {} to {} have no tensor {}", range_.first, range_.last, tensor));
    for (ggml_tensor* slot : found->second) {
        if (bytes.size() != ggml_nbytes(slot))
            throw UsageError(
                fmt::format("tensor {}: {} bytes given, {} wanted", tensor, bytes.size(), ggml_nbytes(slot)));
        ggml_backend_tensor_set(slot, bytes.data(), 0, bytes.size());
    }
}

bool Segment::on_eval(ggml_tensor* tensor, bool ask, void* self) {
    auto* segment = static_cast<Segment*>(self);
    try {
        return segment->observe(tensor, ask);
    } catch (...) {
        segment->failure_ = std::current_exception();
        return false;
    }
}

bool Segment::observe(ggml_tensor* tensor, bool ask) {
    if (!out_name_.empty() && out_name_ == tensor->name) {
        if (!ask)
            ggml_backend_tensor_get(tensor, out_.data(), 0, std::min(ggml_nbytes(tensor), out_.size() * sizeof(float)));
        return true;
    }
    if (sink_ != nullptr && !sink_->node.empty() && is_node(tensor->name, sink_->node)) {
        if (ask) return true;
        fetch(tensor);
        sink_->take(sink_->node, -1, activations_.data(), ggml_nrows(tensor), tensor->ne[0]);
        return true;
    }
    const bool wanted = sink_ != nullptr || products_ != nullptr;
    if (!wanted || (tensor->op != GGML_OP_MUL_MAT && tensor->op != GGML_OP_MUL_MAT_ID)) return false;
    const std::string weight = source_name(tensor->src[0]->name);
    if (tensor->src[1]->type != GGML_TYPE_F32 || source_.find(weight) == nullptr) return false;
    if (!range_.with_head && !weight.starts_with("blk.")) return false;  // a stub that the engine multiplies by
    if (products_ != nullptr) {
        if (ask) list_product(tensor, weight);
        return false;
    }
    if (!sink_->wants(weight)) return false;
    if (ask) return true;
    feed_sink(tensor, weight);
    return !sink_->enough || !sink_->enough();
}

void Segment::list_product(const ggml_tensor* product, const std::string& weight) {
    const auto same = [&](const auto& group) { return group.first == product->src[1]; };
    const auto group = std::find_if(products_->begin(), products_->end(), same);
    if (group == products_->end())
        products_->push_back({product->src[1], {weight}});
    else
        group->second.push_back(weight);
}

std::vector<std::vector<std::string>> Segment::products_by_input(const SegmentInput& input) {
    std::vector<std::pair<const ggml_tensor*, std::vector<std::string>>> found;
    products_ = &found;
    run(input);
    products_ = nullptr;
    std::vector<std::vector<std::string>> groups;
    for (auto& [x, names] : found) groups.push_back(std::move(names));
    return groups;
}

/// The tensor's values into activations_, rows one behind the other.
void Segment::fetch(const ggml_tensor* x) {
    activations_.resize(static_cast<size_t>(ggml_nelements(x)));
    if (ggml_is_contiguous(x)) {
        ggml_backend_tensor_get(x, activations_.data(), 0, ggml_nbytes(x));
        return;
    }
    for (int64_t row = 0; row < ggml_nrows(x); row++)
        ggml_backend_tensor_get(x, activations_.data() + row * x->ne[0], static_cast<size_t>(row) * x->nb[1],
                                static_cast<size_t>(x->ne[0]) * sizeof(float));
}

void Segment::feed_sink(const ggml_tensor* product, const std::string& weight) {
    const ggml_tensor* x = product->src[1];
    const int64_t n_cols = x->ne[0];
    fetch(x);
    if (product->op == GGML_OP_MUL_MAT) {
        sink_->take(weight, 0, activations_.data(), ggml_nrows(x), n_cols);
        return;
    }
    // x is [n_cols, n_used or 1, n_tokens], ids [n_used, n_tokens]: which expert each token's product went to. Each
    // expert's rows are given together.
    const ggml_tensor* ids = product->src[2];
    const int64_t n_used = ids->ne[0], n_tokens = ids->ne[1];
    chosen_.resize(static_cast<size_t>(n_used * n_tokens));
    for (int64_t token = 0; token < n_tokens; token++)
        ggml_backend_tensor_get(ids, chosen_.data() + token * n_used, static_cast<size_t>(token) * ids->nb[1],
                                static_cast<size_t>(n_used) * sizeof(int32_t));
    if (sink_->chose) sink_->chose(weight, chosen_, n_used);
    std::map<int32_t, std::vector<float>> rows_of;
    for (int64_t i = 0; i < n_used * n_tokens; i++) {
        const float* row = activations_.data() + (i / n_used * x->ne[1] + i % n_used % x->ne[1]) * n_cols;
        std::vector<float>& rows = rows_of[chosen_[static_cast<size_t>(i)]];
        rows.insert(rows.end(), row, row + n_cols);
    }
    for (const auto& [expert, rows] : rows_of)
        sink_->take(weight, expert, rows.data(), static_cast<int64_t>(rows.size()) / n_cols, n_cols);
}

std::span<const float> Segment::run(const SegmentInput& input, const ActivationSink* sink) {
    check_interrupt();
    const int64_t n_embd = source_.n_embd;
    const bool tokens = range_.from_tokens;
    const auto n = static_cast<int32_t>(tokens ? static_cast<int64_t>(input.tokens.size())
                                               : static_cast<int64_t>(input.hidden.size()) / n_embd);
    if (n < 1 || n > static_cast<int64_t>(llama_n_batch(ctx_.get())))
        throw UsageError(fmt::format("a segment was given {} tokens, it takes 1 to {}", n, llama_n_batch(ctx_.get())));
    if (!tokens && input.hidden.size() != static_cast<size_t>(n * n_embd))
        throw UsageError(fmt::format("hidden states: {} floats are no rows of {}", input.hidden.size(), n_embd));

    llama_batch batch = llama_batch_init(n, tokens ? 0 : static_cast<int32_t>(n_embd), 1);
    batch.n_tokens = n;
    if (tokens)
        std::copy(input.tokens.begin(), input.tokens.end(), batch.token);
    else
        std::memcpy(batch.embd, input.hidden.data(), input.hidden.size_bytes());
    for (int32_t i = 0; i < n; i++) {
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = 1;  // else the engine drops rows in its last layer
    }
    if (!range_.with_head) out_.resize(static_cast<size_t>(n * n_embd));
    llama_memory_clear(llama_get_memory(ctx_.get()), false);
    sink_ = sink;
    const int32_t code = llama_decode(ctx_.get(), batch);
    sink_ = nullptr;
    llama_batch_free(batch);
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (code == 2) throw Interrupted();
    if (code != 0)
        throw engine_error(
            fmt::format("run layers {} to {} on {} tokens (code {})", range_.first, range_.last, n, code));
    if (!range_.with_head) return out_;
    return {llama_get_logits(ctx_.get()), static_cast<size_t>(n * source_.n_vocab)};
}

}  // namespace ech0
