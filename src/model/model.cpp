#include "ech0/model.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>
#include <gguf.h>

#include "base/text.h"
#include "ech0/error.h"
#include "model/blueprint.h"
#include "model/engine_rules.h"
#include "model/gguf_file.h"
#include "model/metadata.h"

namespace ech0 {
namespace {

// Keys of one architecture: "llama.block_count" and so on.
class Keys {
public:
    Keys(const Model& model, const GgufFile& first) : model_(model), first_(first) {}

    int64_t required(std::string_view name) const {
        if (const std::optional<int64_t> value = find_integer(model_.metadata, key(name))) return *value;
        const MetaValue* const found = find_value(model_.metadata, key(name));
        throw first_.error(fmt::format("key '{}' is {}, wanted a whole number: the file is damaged",
                                       printable(key(name)), found == nullptr ? "missing" : display(*found, 40)));
    }

    int64_t optional(std::string_view name, int64_t otherwise) const {
        return find_value(model_.metadata, key(name)) == nullptr ? otherwise : required(name);
    }

    // One number for all layers, or an array with one for each.
    std::vector<int64_t> per_layer(std::string_view name, std::vector<int64_t> otherwise) const {
        const MetaValue* const found = find_value(model_.metadata, key(name));
        if (found == nullptr) return otherwise;
        if (!found->is_array) return std::vector<int64_t>(static_cast<size_t>(model_.n_layer), required(name));
        if (found->array_size != model_.n_layer) {
            throw first_.error(
                fmt::format("key '{}' has {} values, wanted one for each of {} layers: the file is damaged",
                            printable(key(name)), found->array_size, model_.n_layer));
        }
        std::vector<int64_t> values;
        for (const MetaScalar& element : found->elements) {
            const std::optional<int64_t> value = as_integer(element);
            if (!value)
                throw first_.error(
                    fmt::format("key '{}' is no array of whole numbers: the file is damaged", printable(key(name))));
            values.push_back(*value);
        }
        return values;
    }

private:
    std::string key(std::string_view name) const { return model_.architecture + "." + std::string(name); }

    const Model& model_;
    const GgufFile& first_;
};

void take_metadata(Model& model, const GgufFile& first) {
    for (const auto& [key, entry] : first.entries) model.metadata.emplace(key, entry.value);
}

void take_tensors(Model& model, const std::vector<GgufFile>& parts) {
    std::set<std::string_view> names;
    for (size_t part = 0; part < parts.size(); part++) {
        for (const Tensor& tensor : parts[part].tensors) {
            if (!names.insert(tensor.name).second) {
                throw parts[part].error(fmt::format("tensor {} is in another part too: the parts are not of one model",
                                                    printable(tensor.name)));
            }
            model.tensors.push_back(tensor);
            model.tensors.back().part = static_cast<int32_t>(part);
        }
        model.size_bytes += parts[part].file.size_bytes();
    }
}

// What the parts say about themselves; the engine reads split.no as u16 and asserts on another type.
void check_parts(const std::vector<GgufFile>& parts) {
    const auto number = [](const GgufFile& part, std::string_view key) -> int64_t {
        const GgufEntry* const entry = part.find(key);
        return entry == nullptr ? -1 : as_integer(entry->value.scalar).value_or(-1);
    };
    const int64_t count = static_cast<int64_t>(parts.size());
    const int64_t n_split = std::max<int64_t>(1, number(parts[0], "split.count"));
    if (n_split != count) {
        throw parts[0].error(fmt::format(
            "key 'split.count' is {}, and there {} {} by the file's name: the name of a split model ends in "
            "-00001-of-{:05}.gguf",
            n_split, count == 1 ? "is" : "are", count, n_split));
    }
    int64_t n_tensors = 0;
    for (int64_t i = 0; i < count; i++) {
        const GgufFile& part = parts[static_cast<size_t>(i)];
        n_tensors += static_cast<int64_t>(part.tensors.size());
        const GgufEntry* const entry = part.find("split.no");
        if (count > 1 && (entry == nullptr || entry->type != GGUF_TYPE_UINT16 || number(part, "split.no") != i)) {
            throw part.error(
                fmt::format("key 'split.no' is {}, wanted {}: the parts are mixed up; fetch this one again",
                            entry == nullptr ? "missing" : display(entry->value), i));
        }
    }
    if (count > 1 && number(parts[0], "split.tensors.count") != n_tensors) {
        throw parts[0].error(fmt::format(
            "key 'split.tensors.count' is {}, and the parts have {} tensors: the parts are not of one model",
            number(parts[0], "split.tensors.count"), n_tensors));
    }
}

// A GGUF may hold other things than a model.
void check_kind(const Model& model, const GgufFile& first) {
    const std::string kind = find_string(model.metadata, "general.type").value_or("model");
    if (kind == "imatrix") throw first.error("this is an importance matrix, not a model");
    if (kind == "adapter") throw first.error("this is a LoRA adapter, not a model: merge it into its model first");
    if (kind == "mmproj" || model.architecture == "clip")
        throw first.error("this is the eye of a vision model, not the language model");
    if (model.architecture.empty())
        throw first.error("key 'general.architecture' is missing: this GGUF file holds no model");
    if (model.tensors.empty()) throw first.error("no tensors: this file holds a vocabulary only, not a model");
}

void take_names(Model& model) {
    model.architecture = find_string(model.metadata, "general.architecture").value_or("");
    model.name = find_string(model.metadata, "general.name").value_or(model.files[0].stem().string());
    model.licence = find_string(model.metadata, "general.license").value_or("");
    model.chat_template = find_string(model.metadata, "tokenizer.chat_template").value_or("");
}

int64_t count_vocabulary(const Model& model, const Keys& keys) {
    if (const MetaValue* tokens = find_value(model.metadata, "tokenizer.ggml.tokens");
        tokens != nullptr && tokens->is_array) {
        return tokens->array_size;
    }
    const Tensor* const embedding = model.find("token_embd.weight");
    return keys.optional("vocab_size", embedding == nullptr ? 0 : embedding->n_rows());
}

void take_anatomy(Model& model, const GgufFile& first) {
    const Keys keys(model, first);
    model.n_layer = keys.required("block_count");
    if (model.n_layer < 1 || model.n_layer > 512) {  // before vectors are made of it; LLAMA_MAX_LAYERS
        throw first.error(fmt::format("key '{}.block_count' is {}, wanted 1 to 512: the file is damaged",
                                      printable(model.architecture), model.n_layer));
    }
    const std::vector<int64_t> none(static_cast<size_t>(model.n_layer), 0);
    model.n_embd = keys.required("embedding_length");
    model.n_ctx_train = keys.required("context_length");
    model.n_vocab = count_vocabulary(model, keys);
    model.n_expert = keys.optional("expert_count", 0);
    model.n_expert_used = keys.optional("expert_used_count", 0);
    const MetaValue* const window = find_value(model.metadata, model.architecture + ".attention.sliding_window");
    model.n_swa = window == nullptr || window->is_array ? 0 : keys.optional("attention.sliding_window", 0);
    model.n_ff = keys.per_layer("feed_forward_length", none);
    model.n_head = keys.per_layer("attention.head_count", none);
    model.n_head_kv = keys.per_layer("attention.head_count_kv", model.n_head);
    // The first layer's heads decide, as in the engine, even where layers differ.
    if (model.n_head[0] > 0) {
        model.n_embd_head_k = keys.optional("attention.key_length", model.n_embd / model.n_head[0]);
        model.n_embd_head_v = keys.optional("attention.value_length", model.n_embd / model.n_head[0]);
    }
    model.tied_embeddings = model.find("token_embd.weight") != nullptr && model.find("output.weight") == nullptr;
}

// A blueprint's own head has no vocabulary; it knows how large the head of a real file is.
void take_blueprint(Model& model, const GgufFile& first) {
    const std::optional<int64_t> head_bytes = find_integer(model.metadata, blueprint_head_key);
    if (!find_string(model.metadata, blueprint_key) || !head_bytes) return;
    model.has_weights = false;
    model.size_bytes += *head_bytes - first.data_offset_bytes;
}

void take_sums(Model& model) {
    std::map<std::string, int64_t> elements_of_type;
    for (const Tensor& tensor : model.tensors) {
        model.n_params += tensor.n_elements;
        model.tensor_bytes += tensor.size_bytes;
        elements_of_type[tensor.type_name] += tensor.n_elements;
    }
    model.bits_per_weight = 8.0 * static_cast<double>(model.tensor_bytes) / static_cast<double>(model.n_params);
    model.source_type =
        std::max_element(elements_of_type.begin(), elements_of_type.end(), [](const auto& a, const auto& b) {
            return a.second < b.second;
        })->first;
}

}  // namespace

const Tensor* Model::find(std::string_view tensor_name) const {
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& tensor) { return tensor.name == tensor_name; });
    return found == tensors.end() ? nullptr : &*found;
}

void Model::require_weights() const {
    if (has_weights) return;
    throw UsageError(fmt::format(
        "{} is a blueprint, the shapes of a published model without its weights: only fit and inspect can read it; "
        "everything else needs the model's file",
        printable(asked)));
}

int64_t Model::kv_bytes_per_token() const {
    // Multi-head latent attention keeps one latent vector, of the key's length, and no values (llama-kv-cache.cpp).
    const bool is_mla = find_integer(metadata, architecture + ".attention.key_length_mla").value_or(0) > 0 &&
                        find_integer(metadata, architecture + ".attention.value_length_mla").value_or(0) > 0;
    // The last layers of some models reuse the cache of earlier ones.
    const int64_t n_shared = find_integer(metadata, architecture + ".attention.shared_kv_layers").value_or(0);
    int64_t bytes = 0;
    for (int64_t i = 0; i < n_layer - std::clamp<int64_t>(n_shared, 0, n_layer); i++) {
        const int64_t n_kv = n_head_kv[static_cast<size_t>(i)];
        bytes += static_cast<int64_t>(ggml_row_size(GGML_TYPE_F16, n_kv * n_embd_head_k));
        if (!is_mla) bytes += static_cast<int64_t>(ggml_row_size(GGML_TYPE_F16, n_kv * n_embd_head_v));
    }
    return bytes;
}

Model read_model(std::string_view asked) { return read_model(asked, resolve_model(asked)); }

Model read_model(std::string_view asked, std::vector<std::filesystem::path> files) {
    Model model;
    model.asked = asked;
    model.files = std::move(files);
    std::vector<GgufFile> parts;
    for (const std::filesystem::path& file : model.files) parts.push_back(read_gguf(file));

    take_metadata(model, parts[0]);
    take_names(model);
    take_tensors(model, parts);
    check_kind(model, parts[0]);
    check_parts(parts);
    take_sums(model);
    take_blueprint(model, parts[0]);
    take_anatomy(model, parts[0]);
    check_engine_rules(model, parts[0]);
    return model;
}

}  // namespace ech0
