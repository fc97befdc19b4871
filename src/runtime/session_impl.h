#pragma once

#include <llama-cpp.h>

#include <functional>
#include <map>
#include <memory>

#include "ech0/session.h"

namespace ech0 {

/// What a Session owns of libllama; for code that needs the objects themselves (samplers, state files).
struct Session::Impl {
    std::shared_ptr<llama_model> model;  // declared first, so freed last
    std::function<bool(ggml_tensor*, bool)> on_eval;
    llama_context_ptr ctx;
    const llama_vocab* vocab = nullptr;
    std::string chat_template;
    int64_t n_past = 0;
    std::map<int64_t, int64_t> gaps;  // positions forgotten before n_past: begin to end, apart from each other
    int64_t n_swa = 0;                // tokens that layers with a sliding window look back; 0 = all do
    int64_t n_batch = 0;
    bool shifted = false;  // and nothing was decoded since: positions have moved, keys are not turned yet
    std::vector<float> logits;
};

/// What a Session asks of the engine; whoever predicts its memory asks the same.
/// @throws UsageError if an option is out of range
llama_context_params context_params(int64_t n_ctx_train, const SessionOptions& options);

}  // namespace ech0
