#include "runtime/footprint.h"

#include <fmt/format.h>
#include <llama-cpp.h>

#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/private_memory.h"
#include "ech0/error.h"
#include "runtime/engine.h"
#include "runtime/session_impl.h"

namespace ech0 {
namespace {

/// The MiB after `label` in a line, as bytes; 0 if the line doesn't say it.
int64_t mib_after(std::string_view line, std::string_view label) {
    const size_t at = line.find(label);
    if (at == std::string_view::npos || line.find("MiB", at) == std::string_view::npos) return 0;
    const double mib = std::strtod(std::string(line.substr(at + label.size())).c_str(), nullptr);
    return static_cast<int64_t>(std::llround(mib * 1048576.0));
}

}  // namespace

struct FootprintProbe::Impl {
    llama_model_ptr model;

    llama_context_ptr context(const Model& info, const SessionOptions& options) const {
        const llama_context_params params = context_params(info.n_ctx_train, options);
        clear_engine_message();
        llama_context_ptr ctx(llama_init_from_model(model.get(), params));
        if (!ctx)
            throw engine_error(fmt::format("plan a context of {} tokens, K {}, V {} for {}", params.n_ctx,
                                           options.type_k, options.type_v, info.asked));
        return ctx;
    }
};

FootprintProbe::FootprintProbe(const Model& model) : impl_(std::make_unique<Impl>()), model_(model) {
    start_engine();
    clear_engine_message();
    llama_model_params params = llama_model_default_params();
    params.no_alloc = true;
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    std::vector<std::string> paths;
    for (const auto& file : model.files) paths.push_back(file.string());
    std::vector<const char*> names;
    for (const auto& path : paths) names.push_back(path.c_str());
    impl_->model.reset(names.size() == 1 ? llama_model_load_from_file(names[0], params)
                                         : llama_model_load_from_splits(names.data(), names.size(), params));
    if (!impl_->model) throw engine_error("read the shapes of " + model.asked);
}

FootprintProbe::~FootprintProbe() = default;

Footprint FootprintProbe::of(const SessionOptions& options) const {
    const EngineLog log;
    const llama_context_ptr ctx = impl_->context(model_, options);
    Footprint footprint;
    for (const std::string& line : log.lines()) {
        // "llama_kv_cache: size =  544.00 MiB (  4096 cells, …", once per kind of cache
        if (line.find(" cells,") != std::string::npos) footprint.kv_bytes += mib_after(line, "size =");
        footprint.compute_bytes += mib_after(line, "compute buffer size =");
        // "graph nodes  = 1030 (with bs=512), 966 (with bs=1)"; or one figure for both
        if (const size_t at = line.find("graph nodes"); at != std::string::npos) {
            const size_t second = line.find("), ", at), first = line.find("= ", at);
            footprint.n_nodes =
                std::strtoll(line.c_str() + (second != std::string::npos ? second + 3 : first + 2), nullptr, 10);
        }
        footprint.output_bytes += mib_after(line, "output buffer size =");
    }
    if (footprint.compute_bytes == 0 || footprint.n_nodes == 0)
        throw EngineError("the engine did not tell the sizes of its buffers: its words have changed");
    return footprint;
}

int64_t FootprintProbe::books_bytes(const SessionOptions& options) const {
    const int64_t before = private_memory_bytes();
    const llama_context_ptr ctx = impl_->context(model_, options);
    return private_memory_bytes() - before;
}

}  // namespace ech0
