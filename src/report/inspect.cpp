#include "report/inspect.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "ech0/units.h"
#include "model/component.h"
#include "model/metadata.h"
#include "report/machine.h"
#include "report/table.h"

namespace ech0 {
namespace {

constexpr int64_t most_layers = 100'000;  // of a report: what a person may have typed is not trusted

// What one component's tensors of one type add up to.
struct Portion {
    std::string_view component;
    std::string type_name;
    int64_t n_tensors = 0, n_params = 0, size_bytes = 0;
};

std::vector<Portion> portions_of(const Model& model) {
    std::map<std::tuple<int, std::string_view, std::string>, Portion> sums;
    for (const Tensor& tensor : model.tensors) {
        const std::string_view component = component_of(tensor.name);
        Portion& portion = sums[{component_rank(component), component, tensor.type_name}];
        portion.component = component;
        portion.type_name = tensor.type_name;
        portion.n_tensors++;
        portion.n_params += tensor.n_elements;
        portion.size_bytes += tensor.size_bytes;
    }
    std::vector<Portion> portions;
    portions.reserve(sums.size());
    for (auto& [key, portion] : sums) portions.push_back(std::move(portion));
    return portions;
}

std::map<std::string, std::string> provenance_of(const Model& model) {
    std::map<std::string, std::string> found;
    for (const auto& [key, value] : model.metadata) {
        if (key.starts_with("ech0.")) found[key] = display(value, 200);
    }
    return found;
}

std::string meta_string(const Model& model, std::string_view key) {
    return find_string(model.metadata, key).value_or("");
}

// "9", or "4 to 9" where layers differ
std::string span_text(const std::vector<int64_t>& values) {
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return *least == *most ? format_count(*least)
                           : fmt::format("{} to {} by layer", format_count(*least), format_count(*most));
}

std::string file_text(const Model& model) {
    const size_t n_more = model.files.size() - 1;
    const std::string more = n_more == 0 ? "" : fmt::format(" and {} more part{}", n_more, n_more == 1 ? "" : "s");
    return printable(model.files[0].string(), 400) + more;
}

std::string architecture_text(const Model& model) {
    return fmt::format("{}: {} layers, {} wide", printable(model.architecture), model.n_layer,
                       format_count(model.n_embd));
}

std::string attention_text(const Model& model) {
    if (std::all_of(model.n_head.begin(), model.n_head.end(), [](int64_t n) { return n == 0; })) return "none";
    std::string text = fmt::format("{} heads of {}, {} KV heads", span_text(model.n_head), model.n_embd_head_k,
                                   span_text(model.n_head_kv));
    if (model.n_swa > 0) text += fmt::format(", sliding window of {} tokens", format_count(model.n_swa));
    return text;
}

std::string feed_forward_text(const Model& model) {
    std::string text = span_text(model.n_ff) + " channels";
    if (model.n_expert > 0)
        text += fmt::format(", {} experts, {} of them for each token", model.n_expert, model.n_expert_used);
    return text;
}

std::string weights_text(const Model& model) {
    return fmt::format("{} parameters, {:.2f} bits each, mostly {}", format_count(model.n_params),
                       model.bits_per_weight, model.source_type);
}

std::string vocabulary_text(const Model& model) {
    std::string text = format_count(model.n_vocab) + " tokens";
    const std::string kind = meta_string(model, "tokenizer.ggml.model"),
                      split = meta_string(model, "tokenizer.ggml.pre");
    if (!kind.empty()) text += fmt::format(", {}{}{}", printable(kind), split.empty() ? "" : " ", printable(split));
    return text + (model.tied_embeddings ? ", embedding serves as output" : "");
}

std::string kv_text(const Model& model) {
    const int64_t bytes = model.kv_bytes_per_token();
    if (bytes == 0) return "none";
    // A sliding window keeps some layers shorter than the context; which ones is the engine's knowledge, so say "at
    // most".
    return fmt::format("{} bytes per token as f16, {}{} for {} tokens", format_count(bytes),
                       model.n_swa > 0 ? "at most " : "", format_memory(bytes * model.n_ctx_train),
                       format_count(model.n_ctx_train));
}

std::string template_text(const Model& model) {
    return model.chat_template.empty()
               ? "none: not a chat model, or its file forgot it"
               : fmt::format("yes, {} characters", format_count(static_cast<int64_t>(text_width(model.chat_template))));
}

std::string anatomy_facts(const Model& model, const Look& look) {
    const Facts facts = {
        {"file", fmt::format("{}, {}", file_text(model), format_disk(model.size_bytes))},
        {"architecture", architecture_text(model)},
        {"attention", attention_text(model)},
        {"feed-forward", feed_forward_text(model)},
        {"weights", weights_text(model)},
        {"vocabulary", vocabulary_text(model)},
        {"context", fmt::format("{} tokens in training", format_count(model.n_ctx_train))},
        {"KV cache", kv_text(model)},
        {"template", template_text(model)},
        {"licence", model.licence.empty() ? "not stated in the file" : printable(model.licence)},
    };
    return heading_text(printable(model.name), look) + facts_text(facts, look);
}

std::string share_text(int64_t part, int64_t whole) {
    return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string components_text(const Model& model, const Look& look) {
    using Align = Table::Align;
    Table table({{"component"},
                 {"type"},
                 {"tensors", Align::right},
                 {"parameters", Align::right},
                 {"size", Align::right},
                 {"share", Align::right}});
    const auto row = [&](std::string_view component, std::string_view type, int64_t n_tensors, int64_t n_params,
                         int64_t size_bytes) {
        table.add({std::string(component), std::string(type), format_count(n_tensors), format_count(n_params),
                   format_disk(size_bytes), share_text(size_bytes, model.tensor_bytes)});
    };
    for (const Portion& portion : portions_of(model)) {
        row(portion.component, portion.type_name, portion.n_tensors, portion.n_params, portion.size_bytes);
    }
    table.rule();
    row("all", "", static_cast<int64_t>(model.tensors.size()), model.n_params, model.tensor_bytes);
    return table.text(look);
}

std::string tensors_text(const Model& model, const Look& look) {
    using Align = Table::Align;
    Table table({{"tensor"}, {"type"}, {"shape"}, {"bytes", Align::right}});
    for (const Tensor& tensor : model.tensors) {
        table.add({printable(tensor.name), tensor.type_name, fmt::format("{}", fmt::join(tensor.shape, " x ")),
                   format_count(tensor.size_bytes)});
    }
    return table.text(look);
}

std::string provenance_text(const Model& model) {
    std::string text;
    for (const auto& [key, value] : provenance_of(model)) text += fmt::format("  {:<28} {}\n", printable(key), value);
    return text.empty() ? text : "\nmade by ech0\n" + text;
}

Json components_json(const Model& model) {
    Json components = Json::array();
    for (const Portion& portion : portions_of(model)) {
        components.push_back({{"component", portion.component},
                              {"type", portion.type_name},
                              {"n_tensors", portion.n_tensors},
                              {"n_params", portion.n_params},
                              {"size_bytes", portion.size_bytes}});
    }
    return components;
}

Json files_json(const Model& model) {
    Json files = Json::array();
    for (const std::filesystem::path& file : model.files) files.push_back(file.string());
    return files;
}

// The vocabulary's arrays and the template have their own places; the rest of the keys as they are.
Json metadata_json(const Model& model) {
    Json metadata = Json::object();
    for (const auto& [key, value] : model.metadata) {
        if (key != "tokenizer.chat_template") metadata[key] = to_json(value);
    }
    return metadata;
}

Json provenance_json(const Model& model) {
    Json provenance = Json::object();
    for (const auto& [key, value] : model.metadata) {
        if (key.starts_with("ech0.")) provenance[key] = to_json(value);
    }
    return provenance;
}

MetaScalar read_scalar(const Json& json) {
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_number_integer()) return json.get<int64_t>();
    if (json.is_number()) return json.get<double>();
    return json.is_string() ? json.get<std::string>() : json.dump();
}

MetaValue read_value(const Json& json) {
    MetaValue value;
    value.is_array = json.is_array() || json.is_object();
    if (!value.is_array) value.scalar = read_scalar(json);
    if (json.is_object()) json.at("array_size").get_to(value.array_size);
    if (json.is_array())
        for (const Json& element : json) value.elements.push_back(read_scalar(element));
    if (json.is_array()) value.array_size = static_cast<int64_t>(json.size());
    return value;
}

std::vector<int64_t> read_per_layer(const Json& json, int64_t n_layer) {
    if (json.is_array()) return json.get<std::vector<int64_t>>();
    return std::vector<int64_t>(static_cast<size_t>(n_layer), json.get<int64_t>());
}

Tensor read_tensor(const Json& json) {
    Tensor tensor;
    json.at("name").get_to(tensor.name);
    json.at("type").get_to(tensor.type_name);
    json.at("shape").get_to(tensor.shape);
    json.at("size_bytes").get_to(tensor.size_bytes);
    tensor.n_elements = 1;
    for (const int64_t n : tensor.shape) tensor.n_elements *= n;
    return tensor;
}

Model read_model_json(const Json& json) {
    Model model;
    json.at("asked").get_to(model.asked);
    json.at("name").get_to(model.name);
    json.at("architecture").get_to(model.architecture);
    json.at("licence").get_to(model.licence);
    json.at("chat_template").get_to(model.chat_template);
    json.at("type").get_to(model.source_type);
    json.at("n_layer").get_to(model.n_layer);
    if (model.n_layer < 1 || model.n_layer > most_layers)
        throw FormatError(fmt::format("n_layer is {}, wanted 1 to {}", model.n_layer, most_layers));
    json.at("n_embd").get_to(model.n_embd);
    json.at("n_vocab").get_to(model.n_vocab);
    json.at("n_ctx_train").get_to(model.n_ctx_train);
    json.at("n_expert").get_to(model.n_expert);
    json.at("n_expert_used").get_to(model.n_expert_used);
    json.at("n_swa").get_to(model.n_swa);
    model.n_ff = read_per_layer(json.at("n_ff"), model.n_layer);
    model.n_head = read_per_layer(json.at("n_head"), model.n_layer);
    model.n_head_kv = read_per_layer(json.at("n_head_kv"), model.n_layer);
    json.at("n_embd_head_k").get_to(model.n_embd_head_k);
    json.at("n_embd_head_v").get_to(model.n_embd_head_v);
    json.at("tied_embeddings").get_to(model.tied_embeddings);
    json.at("n_params").get_to(model.n_params);
    json.at("size_bytes").get_to(model.size_bytes);
    json.at("tensor_bytes").get_to(model.tensor_bytes);
    json.at("bits_per_weight").get_to(model.bits_per_weight);
    for (const Json& file : json.at("files")) model.files.emplace_back(file.get<std::string>());
    if (model.files.empty()) throw FormatError("files is empty, wanted one at least");
    for (const auto& [key, value] : json.at("metadata").items()) model.metadata[key] = read_value(value);
    for (const Json& tensor : json.at("tensors")) model.tensors.push_back(read_tensor(tensor));
    return model;
}

}  // namespace

std::string inspect_text(const Model& model, bool with_tensors, const Look& look) {
    std::string text = anatomy_facts(model, look) + "\n" + components_text(model, look);
    if (with_tensors) text += "\n" + tensors_text(model, look);
    return text + provenance_text(model);
}

Model model_from_json(const Json& json) {
    return from_json("ech0.inspect/1", json, [&] { return read_model_json(json); });
}

Json inspect_json(const Model& model) {
    Json json = {
        {"schema", "ech0.inspect/1"},
        {"asked", model.asked},
        {"name", model.name},
        {"architecture", model.architecture},
        {"n_layer", model.n_layer},
        {"n_embd", model.n_embd},
        {"n_ff", per_layer_json(model.n_ff)},
        {"n_head", per_layer_json(model.n_head)},
        {"n_head_kv", per_layer_json(model.n_head_kv)},
        {"n_embd_head_k", model.n_embd_head_k},
        {"n_embd_head_v", model.n_embd_head_v},
        {"n_expert", model.n_expert},
        {"n_expert_used", model.n_expert_used},
        {"n_swa", model.n_swa},
        {"n_vocab", model.n_vocab},
        {"n_ctx_train", model.n_ctx_train},
        {"n_params", model.n_params},
        {"size_bytes", model.size_bytes},
        {"tensor_bytes", model.tensor_bytes},
        {"bits_per_weight", model.bits_per_weight},
        {"type", model.source_type},
        {"kv_bytes_per_token", model.kv_bytes_per_token()},
        {"tied_embeddings", model.tied_embeddings},
        {"licence", model.licence},
        {"chat_template", model.chat_template},
        {"files", files_json(model)},
        {"components", components_json(model)},
        {"provenance", provenance_json(model)},
        {"metadata", metadata_json(model)},
    };
    Json tensors = Json::array();
    for (const Tensor& tensor : model.tensors) tensors.push_back(to_json(tensor));
    json["tensors"] = std::move(tensors);
    return json;
}

}  // namespace ech0
