#include "surgeon/brief.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ech0/units.h"

namespace ech0 {
namespace {

int64_t params_of(const Model& model, const char* part) {
    int64_t n = 0;
    for (const Tensor& t : model.tensors)
        if (t.name.starts_with("blk.") && t.name.find(part) != std::string::npos) n += t.n_elements;
    return n;
}

void add(Brief& brief, const char* name, double value, std::string says, const char* grade = "computed") {
    brief.facts.push_back({name, value, std::move(says), grade});
}

void add_anatomy(const Model& model, Brief& brief) {
    const auto millions = [](int64_t n) { return fmt::format("{:.1f} million weights", static_cast<double>(n) / 1e6); };
    const auto count = [&](const char* name, int64_t n, const char* what) {
        add(brief, name, static_cast<double>(n), fmt::format("{} {}", n, what));
    };
    count("n_layer", model.n_layer, "layers");
    count("n_head", model.n_head.empty() ? 0 : model.n_head.front(), "query heads in the first layer");
    count("n_head_kv", model.n_head_kv.empty() ? 0 : model.n_head_kv.front(), "KV heads in the first layer");
    count("n_embd", model.n_embd, "wide");
    count("n_ff", model.n_ff.empty() ? 0 : model.n_ff.front(), "feed-forward channels in the first layer");
    count("n_vocab", model.n_vocab, "tokens in the vocabulary");
    count("n_ctx_train", model.n_ctx_train, "tokens of context in training");
    add(brief, "n_params", static_cast<double>(model.n_params), millions(model.n_params));
    const int64_t attention = params_of(model, ".attn_"), ffn = params_of(model, ".ffn_");
    add(brief, "attention_params", static_cast<double>(attention), "attention: " + millions(attention));
    add(brief, "ffn_params", static_cast<double>(ffn), "feed-forward parts: " + millions(ffn));
    add(brief, "bits_per_weight", model.bits_per_weight, fmt::format("{:.2f} bits per weight", model.bits_per_weight));
    add(brief, "size_gb", static_cast<double>(model.size_bytes) / 1e9, "file of " + format_disk(model.size_bytes));
    add(brief, "kv_bytes_per_token", static_cast<double>(model.kv_bytes_per_token()),
        fmt::format("{} bytes of KV cache per token", model.kv_bytes_per_token()));
}

}  // namespace

const Fact* Brief::find(const std::string& name) const {
    const auto found = std::find_if(facts.begin(), facts.end(), [&](const Fact& f) { return f.name == name; });
    return found == facts.end() ? nullptr : &*found;
}

Brief make_brief(const Model& model, const std::vector<PruneOutlook>& outlooks, int64_t budget_bytes) {
    Brief brief{model.name.empty() ? model.files.front().filename().string() : model.name,
                model.architecture,
                budget_bytes,
                {}};
    add_anatomy(model, brief);
    add(brief, "budget_gb", static_cast<double>(budget_bytes) / 1e9,
        fmt::format("this machine has {} for the model, its cache and buffers", format_disk(budget_bytes)), "measured");
    const double share =
        static_cast<double>(model.size_bytes) / static_cast<double>(std::max<int64_t>(1, budget_bytes));
    add(brief, "budget_share_percent", 100 * share, fmt::format("the file is {:.1f} % of that", 100 * share));
    for (const PruneOutlook& o : outlooks) {
        const auto percent = static_cast<int>(std::lround(100 * o.share));
        add(brief, fmt::format("kl_remove_{}_percent", percent).c_str(), o.kl,
            fmt::format("removing {} % of the layers' weights costs a KL divergence of {:.4f} before repair", percent,
                        o.kl),
            "measured");
        add(brief, fmt::format("heads_remove_{}_percent", percent).c_str(), static_cast<double>(o.kv_heads),
            fmt::format("of it {} KV heads", o.kv_heads), "predicted");
        add(brief, fmt::format("layers_remove_{}_percent", percent).c_str(), static_cast<double>(o.layers),
            fmt::format("and {} whole layers", o.layers), "predicted");
    }
    return brief;
}

std::string value_text(const Fact& fact) {
    const bool is_count = fact.value == std::round(fact.value) && std::abs(fact.value) < 1e15;
    return is_count ? fmt::format("{:.0f}", fact.value) : fmt::format("{:.6g}", fact.value);
}

std::string brief_text(const Brief& brief) {
    std::string text = fmt::format("Model: {}, architecture {}.\n", brief.model, brief.architecture);
    for (const Fact& f : brief.facts) text += fmt::format("{} = {} ({}; {})\n", f.name, value_text(f), f.says, f.grade);
    return text;
}

}  // namespace ech0
