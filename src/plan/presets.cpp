#include "plan/presets.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gguf.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/text.h"
#include "ech0/error.h"
#include "model/metadata.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

struct Known {
    const char* name;
    llama_ftype ftype;
};

// llama-quantize's names, those that it offers to everybody; from small to large.
constexpr Known known[] = {
    {"IQ1_S", LLAMA_FTYPE_MOSTLY_IQ1_S},     {"IQ1_M", LLAMA_FTYPE_MOSTLY_IQ1_M},
    {"IQ2_XXS", LLAMA_FTYPE_MOSTLY_IQ2_XXS}, {"IQ2_XS", LLAMA_FTYPE_MOSTLY_IQ2_XS},
    {"IQ2_S", LLAMA_FTYPE_MOSTLY_IQ2_S},     {"IQ2_M", LLAMA_FTYPE_MOSTLY_IQ2_M},
    {"Q2_K", LLAMA_FTYPE_MOSTLY_Q2_K},       {"IQ3_XXS", LLAMA_FTYPE_MOSTLY_IQ3_XXS},
    {"IQ3_XS", LLAMA_FTYPE_MOSTLY_IQ3_XS},   {"Q3_K_S", LLAMA_FTYPE_MOSTLY_Q3_K_S},
    {"IQ3_M", LLAMA_FTYPE_MOSTLY_IQ3_M},     {"Q3_K_M", LLAMA_FTYPE_MOSTLY_Q3_K_M},
    {"Q3_K_L", LLAMA_FTYPE_MOSTLY_Q3_K_L},   {"IQ4_XS", LLAMA_FTYPE_MOSTLY_IQ4_XS},
    {"Q4_0", LLAMA_FTYPE_MOSTLY_Q4_0},       {"IQ4_NL", LLAMA_FTYPE_MOSTLY_IQ4_NL},
    {"Q4_K_S", LLAMA_FTYPE_MOSTLY_Q4_K_S},   {"Q4_K_M", LLAMA_FTYPE_MOSTLY_Q4_K_M},
    {"Q4_1", LLAMA_FTYPE_MOSTLY_Q4_1},       {"Q5_0", LLAMA_FTYPE_MOSTLY_Q5_0},
    {"Q5_K_S", LLAMA_FTYPE_MOSTLY_Q5_K_S},   {"Q5_K_M", LLAMA_FTYPE_MOSTLY_Q5_K_M},
    {"Q5_1", LLAMA_FTYPE_MOSTLY_Q5_1},       {"Q6_K", LLAMA_FTYPE_MOSTLY_Q6_K},
    {"Q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},       {"F16", LLAMA_FTYPE_MOSTLY_F16},
};

int64_t padded(const Model& model, int64_t bytes) {
    const int64_t alignment = find_integer(model.metadata, "general.alignment").value_or(GGUF_DEFAULT_ALIGNMENT);
    return (bytes + alignment - 1) / alignment * alignment;
}

/// Everything in the files that is no tensor: it stays when types change.
int64_t head_bytes(const Model& model) {
    int64_t bytes = model.size_bytes;
    for (const Tensor& tensor : model.tensors) bytes -= padded(model, tensor.size_bytes);
    return std::max<int64_t>(0, bytes);
}

/// The line "[  1/ 272] token_embd.weight - [576, 49152, 1, 1], type = f16, size = 54.00 MiB -> 28.69 MiB (q8_0)";
/// without an arrow the type stays.
struct DryRunLine {
    std::string tensor;
    std::optional<std::string> new_type;
};

std::optional<DryRunLine> read_dry_run_line(const std::string& line) {
    const size_t bracket = line.find("] "), dash = line.find(" - ["), type = line.find("type = ");
    if (line.empty() || line[0] != '[' || bracket == std::string::npos || dash == std::string::npos ||
        type == std::string::npos || dash < bracket)
        return std::nullopt;
    DryRunLine result;
    const std::string padded_name = line.substr(bracket + 2, dash - bracket - 2);
    result.tensor = padded_name.substr(0, padded_name.find(' '));
    const size_t arrow = line.find("->"), open = line.rfind('('), close = line.rfind(')');
    if (arrow != std::string::npos && open != std::string::npos && close != std::string::npos && arrow < open &&
        open < close)
        result.new_type = line.substr(open + 1, close - open - 1);
    return result;
}

/// "…: quant size  = 18926.01 MiB (4.85 BPW)"
std::optional<double> read_quant_size(const std::string& line) {
    const size_t at = line.find("quant size"), equals = line.find('=', at == std::string::npos ? 0 : at);
    if (at == std::string::npos || equals == std::string::npos) return std::nullopt;
    return std::strtod(line.c_str() + equals + 1, nullptr);
}

std::vector<std::string> dry_run(const Model& model, llama_ftype ftype) {
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = ftype;
    params.dry_run = true;
    params.allow_requantize = true;
    params.nthread = 1;
    const EngineLog log;
    clear_engine_message();
    if (llama_model_quantize(model.files.front().string().c_str(), "", &params) != 0)
        throw engine_error("ask the engine how it would quantize " + model.asked);
    return log.lines();
}

const Known& find_known(std::string_view name) {
    for (const Known& k : known)
        if (name == k.name) return k;
    throw UsageError(fmt::format("no preset '{}'; there are {}", printable(name), fmt::join(preset_names(), ", ")));
}

}  // namespace

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const Known& k : known) names.emplace_back(k.name);
    return names;
}

Preset preset_of_types(const Model& model, std::string_view name, std::vector<ggml_type> types) {
    Preset preset{std::string(name), std::move(types), head_bytes(model), 0, 0};
    for (size_t i = 0; i < model.tensors.size(); i++) {
        const Tensor& tensor = model.tensors[i];
        const auto bytes = static_cast<int64_t>(ggml_row_size(preset.types[i], tensor.n_cols())) * tensor.n_rows();
        preset.tensor_bytes += bytes;
        preset.file_bytes += padded(model, bytes);
    }
    preset.bits_per_weight = 8.0 * static_cast<double>(preset.tensor_bytes) / static_cast<double>(model.n_params);
    return preset;
}

Preset preset_as_it_is(const Model& model) {
    std::vector<ggml_type> types;
    for (const Tensor& tensor : model.tensors) types.push_back(static_cast<ggml_type>(tensor.type));
    return preset_of_types(model, "as it is", std::move(types));
}

Preset preset_of(const Model& model, std::string_view name) {
    std::map<std::string, ggml_type, std::less<>> changed;
    size_t n_lines = 0;
    double engine_mib = -1;
    for (const std::string& line : dry_run(model, find_known(name).ftype)) {
        if (const std::optional<DryRunLine> read = read_dry_run_line(line)) {
            n_lines++;
            if (read->new_type) changed[read->tensor] = type_by_name(*read->new_type);
        } else if (const std::optional<double> size = read_quant_size(line)) {
            engine_mib = *size;
        }
    }
    std::vector<ggml_type> types;
    for (const Tensor& tensor : model.tensors) {
        const auto found = changed.find(tensor.name);
        types.push_back(found == changed.end() ? static_cast<ggml_type>(tensor.type) : found->second);
    }
    Preset preset = preset_of_types(model, name, std::move(types));
    // The engine's own sum, to the digits that it prints, says whether we understood its lines.
    const double our_mib = static_cast<double>(preset.tensor_bytes) / 1048576.0;
    if (n_lines != model.tensors.size() || std::abs(our_mib - engine_mib) > 0.006)
        throw EngineError(
            fmt::format("the engine's dry run for {} named {} of {} tensors and {:.2f} MiB, we read {:.2f} MiB: its "
                        "words have changed",
                        name, n_lines, model.tensors.size(), engine_mib, our_mib));
    return preset;
}

}  // namespace ech0
