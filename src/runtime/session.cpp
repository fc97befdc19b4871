#include "ech0/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/interrupt.h"
#include "runtime/chat_template.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"
#include "runtime/session_impl.h"
#include "runtime/tokenizer.h"
#include "runtime/workers.h"

namespace ech0 {
namespace {

// A context longer than this is memory the user did not ask for; --ctx asks.
constexpr int64_t default_n_ctx = 4096;

bool stop_requested(void*) { return interrupted(); }

/// The devices of other machines, and how many layers each gets, as the engine wants to be told. Layers that are not
/// counted stay with the processor here; on a machine with a GPU of its own that one comes first.
struct RemotePlacement {
    std::vector<ggml_backend_dev_t> devices;
    std::vector<float> n_layer;

    RemotePlacement(const Model& model, const std::vector<RemoteShare>& remote) : n_layer(llama_max_devices(), 0) {
        int64_t n_left = model.n_layer + 1;
        for (const RemoteShare& share : remote) n_left -= share.n_layer;
        if (n_left < 0) throw UsageError(fmt::format("{} layers too many for other machines", -n_left));
        if (ggml_backend_dev_t gpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU); gpu != nullptr)
            add(gpu, n_left);
        for (const RemoteShare& share : remote) add(worker_device(share), share.n_layer);
    }

    void add(ggml_backend_dev_t device, int64_t n) {
        n_layer[devices.size()] = static_cast<float>(n);
        devices.push_back(device);
    }

    void set(llama_model_params& params) {
        params.n_gpu_layers = static_cast<int32_t>(std::accumulate(n_layer.begin(), n_layer.end(), 0.0F));
        devices.push_back(nullptr);  // where the list ends
        params.devices = devices.data();
        params.tensor_split = n_layer.data();
        params.load_mode = LLAMA_LOAD_MODE_NONE;
    }
};

llama_model_ptr load_model(const Model& model, const SessionOptions& options) {
    start_engine();
    clear_engine_message();
    const bool mapped = options.mapped;
    llama_model_params params = llama_model_default_params();
    // A mapped file beside weights that the engine has rearranged for the processor would count twice.
    params.load_mode = mapped ? LLAMA_LOAD_MODE_MMAP : LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = !mapped;
    std::optional<RemotePlacement> placement;
    if (!options.remote.empty()) placement.emplace(model, options.remote).set(params);
    std::vector<std::string> paths;
    for (const auto& file : model.files) paths.push_back(file.string());
    std::vector<const char*> names;
    for (const auto& path : paths) names.push_back(path.c_str());
    llama_model_ptr loaded(names.size() == 1 ? llama_model_load_from_file(names[0], params)
                                             : llama_model_load_from_splits(names.data(), names.size(), params));
    if (!loaded) throw engine_error("load " + paths.front());
    if (llama_model_has_encoder(loaded.get()))
        throw UsageError(paths.front() + ": an encoder-decoder model (" + model.architecture +
                         "); ech0 handles decoder-only models");
    return loaded;
}

bool show_value(ggml_tensor* tensor, bool ask, void* session) {
    return static_cast<Session::Impl*>(session)->on_eval(tensor, ask);
}

void make_context(Session::Impl& s, const SessionOptions& options) {
    llama_context_params params = context_params(llama_model_n_ctx_train(s.model.get()), options);
    params.abort_callback = stop_requested;
    s.on_eval = options.on_eval;
    if (s.on_eval) {
        params.cb_eval = show_value;
        params.cb_eval_user_data = &s;
    }
    clear_engine_message();
    s.ctx.reset(llama_init_from_model(s.model.get(), params));
    if (!s.ctx)
        throw engine_error(
            fmt::format("create a context of {} tokens, K {}, V {}", params.n_ctx, options.type_k, options.type_v));
    s.vocab = llama_model_get_vocab(s.model.get());
    s.n_batch = llama_n_batch(s.ctx.get());
}

}  // namespace

llama_context_params context_params(int64_t n_ctx_train, const SessionOptions& options) {
    llama_context_params params = llama_context_default_params();
    const int64_t n_ctx =
        options.n_ctx > 0 ? options.n_ctx : std::min(n_ctx_train > 0 ? n_ctx_train : default_n_ctx, default_n_ctx);
    const int64_t n_batch = std::min(options.n_batch, n_ctx);
    if (n_ctx < 2 || n_ctx > (1 << 24))
        throw UsageError(fmt::format("context of {} tokens: must lie between 2 and {}", n_ctx, 1 << 24));
    if (n_batch < 1) throw UsageError(fmt::format("batch of {} tokens: must be at least 1", n_batch));
    params.n_ctx = static_cast<uint32_t>(n_ctx);
    params.n_batch = params.n_ubatch = static_cast<uint32_t>(n_batch);
    params.n_outputs_max = static_cast<uint32_t>(std::clamp<int64_t>(options.n_outputs, 0, n_batch));
    params.n_threads = params.n_threads_batch = options.n_threads > 0 ? options.n_threads : default_threads();
    params.type_k = type_by_name(options.type_k);
    params.type_v = type_by_name(options.type_v);
    params.swa_full = false;  // a sliding window keeps the window, as llama-server has it
    params.no_perf = true;
    return params;
}

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>()) {
    model.require_weights();
    impl_->model = load_model(model, options);
    impl_->chat_template = model.chat_template;
    impl_->n_swa = model.n_swa;
    make_context(*impl_, options);
}

Session::Session(const Session& weights, const SessionOptions& options) : impl_(std::make_unique<Impl>()) {
    impl_->model = weights.impl_->model;
    impl_->chat_template = weights.impl_->chat_template;
    impl_->n_swa = weights.impl_->n_swa;
    make_context(*impl_, options);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

int64_t Session::n_vocab() const { return llama_vocab_n_tokens(impl_->vocab); }
int64_t Session::n_ctx() const { return llama_n_ctx(impl_->ctx.get()); }
int64_t Session::n_ctx_train() const { return llama_model_n_ctx_train(impl_->model.get()); }
int64_t Session::n_past() const { return impl_->n_past; }
int64_t Session::n_cells() const {
    return std::accumulate(impl_->gaps.begin(), impl_->gaps.end(), impl_->n_past,
                           [](int64_t n, const auto& gap) { return n - (gap.second - gap.first); });
}
bool Session::has_window() const { return impl_->n_swa > 0; }
bool Session::adds_bos() const { return llama_vocab_get_add_bos(impl_->vocab); }
int32_t Session::bos() const { return llama_vocab_bos(impl_->vocab); }
bool Session::is_end(int32_t token) const { return llama_vocab_is_eog(impl_->vocab, token); }

std::vector<int32_t> Session::tokenize(std::string_view text, bool add_special, bool parse_special) const {
    return ech0::tokenize(impl_->vocab, text, add_special, parse_special);
}

std::string Session::piece(int32_t token, bool special) const {
    std::string bytes(64, '\0');
    int32_t n = llama_token_to_piece(impl_->vocab, token, bytes.data(), static_cast<int32_t>(bytes.size()), 0, special);
    if (n < 0) {
        bytes.resize(static_cast<size_t>(-n));
        n = llama_token_to_piece(impl_->vocab, token, bytes.data(), -n, 0, special);
    }
    bytes.resize(static_cast<size_t>(std::max(n, 0)));
    return bytes;
}

std::string Session::apply_template(std::span<const ChatMessage> messages, bool add_assistant) const {
    return render_chat(impl_->chat_template, messages, add_assistant);
}

namespace {

/// One engine call: tokens at positions n_past…, logits wanted for those from first_logit on.
void decode_batch(Session::Impl& s, std::span<const int32_t> tokens, int64_t first_logit) {
    const auto n = static_cast<int32_t>(tokens.size());
    llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int32_t i = 0; i < n; i++) {
        batch.token[i] = tokens[static_cast<size_t>(i)];
        batch.pos[i] = static_cast<llama_pos>(s.n_past + i);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = i >= first_logit;
    }
    const int32_t code = llama_decode(s.ctx.get(), batch);
    llama_batch_free(batch);
    if (code == 2) throw Interrupted();
    s.shifted = s.shifted && code != 0;
    if (code != 0) throw engine_error(fmt::format("decode {} tokens at position {} (code {})", n, s.n_past, code));
}

}  // namespace

std::span<const float> Session::decode(std::span<const int32_t> tokens, int64_t first_logit) {
    const auto n = static_cast<int64_t>(tokens.size());
    if (n_cells() + n > n_ctx())
        throw UsageError(
            fmt::format("{} tokens after {} do not fit a context of {}; use a larger --ctx", n, n_cells(), n_ctx()));
    for (const int32_t token : tokens)
        if (token < 0 || token >= n_vocab())
            throw UsageError(fmt::format("token {} is outside the vocabulary of {}", token, n_vocab()));

    impl_->logits.resize(static_cast<size_t>(std::max<int64_t>(0, n - first_logit) * n_vocab()));
    float* out = impl_->logits.data();
    for (int64_t at = 0; at < n; at += impl_->n_batch) {
        check_interrupt();
        const int64_t count = std::min(impl_->n_batch, n - at);
        const int64_t first = std::clamp<int64_t>(first_logit - at, 0, count);
        decode_batch(*impl_, tokens.subspan(static_cast<size_t>(at), static_cast<size_t>(count)), first);
        impl_->n_past += count;
        if (first == count) continue;
        const int64_t n_floats = (count - first) * n_vocab();
        std::memcpy(out, llama_get_logits(impl_->ctx.get()), static_cast<size_t>(n_floats) * sizeof(float));
        out += n_floats;
    }
    return impl_->logits;
}

namespace {

void clear_memory(Session::Impl& s) {
    llama_memory_clear(llama_get_memory(s.ctx.get()), true);
    s.n_past = 0;
    s.gaps.clear();
    s.shifted = false;
}

}  // namespace

void Session::truncate(int64_t n_past) {
    const llama_memory_t memory = llama_get_memory(impl_->ctx.get());
    if (n_past <= 0)
        clear_memory(*impl_);
    else if (impl_->n_swa > 0 && llama_memory_seq_pos_min(memory, 0) > std::max<int64_t>(0, n_past - impl_->n_swa))
        throw EngineError("the sliding window has moved on: that part of the context is gone");
    else if (!llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(n_past), -1))
        throw EngineError("this model's memory can't forget part of its context");
    impl_->n_past = std::max<int64_t>(0, std::min(n_past, impl_->n_past));
    // The engine wants the next token right behind the last one that it has.
    while (!impl_->gaps.empty() && std::prev(impl_->gaps.end())->second >= impl_->n_past) {
        impl_->n_past = std::min(impl_->n_past, std::prev(impl_->gaps.end())->first);
        impl_->gaps.erase(std::prev(impl_->gaps.end()));
    }
}

void Session::forget(int64_t begin, int64_t end) {
    if (begin < 0 || begin >= end || end > impl_->n_past)
        throw UsageError(fmt::format("positions {} to {} of {} can't be forgotten", begin, end, impl_->n_past));
    if (end == impl_->n_past) return truncate(begin);
    if (impl_->n_swa > 0 || !llama_memory_seq_rm(llama_get_memory(impl_->ctx.get()), 0, static_cast<llama_pos>(begin),
                                                 static_cast<llama_pos>(end)))
        throw EngineError("this model's memory can't forget part of its context");
    for (auto gap = impl_->gaps.begin(); gap != impl_->gaps.end();) {
        const bool touches = gap->first <= end && begin <= gap->second;
        if (touches) begin = std::min(begin, gap->first), end = std::max(end, gap->second);
        gap = touches ? impl_->gaps.erase(gap) : std::next(gap);
    }
    impl_->gaps[begin] = end;
}

bool Session::shift(int64_t n_keep, int64_t n_discard) {
    const llama_memory_t memory = llama_get_memory(impl_->ctx.get());
    if (!llama_memory_can_shift(memory) || n_keep + n_discard > impl_->n_past || !impl_->gaps.empty()) return false;
    const auto from = static_cast<llama_pos>(n_keep);
    const auto to = static_cast<llama_pos>(n_keep + n_discard);
    if (!llama_memory_seq_rm(memory, 0, from, to)) return false;
    llama_memory_seq_add(memory, 0, to, static_cast<llama_pos>(impl_->n_past), -static_cast<llama_pos>(n_discard));
    impl_->n_past -= n_discard;
    impl_->shifted = true;
    return true;
}

std::string Session::state() const {
    if (impl_->shifted) throw UsageError("the context was moved and not read on since: ask something, then save it");
    llama_context* const ctx = impl_->ctx.get();
    clear_engine_message();
    std::string state(llama_state_seq_get_size(ctx, 0), '\0');
    if (llama_state_seq_get_data(ctx, reinterpret_cast<uint8_t*>(state.data()), state.size(), 0) != state.size())
        throw engine_error("write the cache's state");
    return state;
}

void Session::restore(std::span<const uint8_t> state) {
    clear_memory(*impl_);
    clear_engine_message();
    const size_t n_read = llama_state_seq_set_data(impl_->ctx.get(), state.data(), state.size(), 0);
    if (n_read == 0 || n_read != state.size()) {
        const EngineError error = engine_error("put a cache back");
        clear_memory(*impl_);
        throw error;
    }
    impl_->n_past = llama_memory_seq_pos_max(llama_get_memory(impl_->ctx.get()), 0) + 1;
}

}  // namespace ech0
