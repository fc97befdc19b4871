#pragma once

#include <llama-cpp.h>

#include "ech0/session.h"

namespace ech0 {

/// What a Session owns of libllama; for code that needs the objects themselves (samplers, state files).
struct Session::Impl {
    llama_model_ptr model;  // declared first, so freed last
    llama_context_ptr ctx;
    const llama_vocab* vocab = nullptr;
    std::string chat_template;
    int64_t n_past = 0;
    int64_t n_batch = 0;
    std::vector<float> logits;
};

}  // namespace ech0
