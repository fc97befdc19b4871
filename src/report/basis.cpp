#include "report/basis.h"

#include "report/machine.h"
#include "runtime/cache_types.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

/// Figures by type, under the types' names.
template <class Value, class ToJson>
Json by_type(const std::map<ggml_type, Value>& values, const ToJson& value_json) {
    Json json = Json::object();
    for (const auto& [type, value] : values) json[type_label(type)] = value_json(value);
    return json;
}

template <class Value, class Read>
std::map<ggml_type, Value> read_by_type(const Json& json, const Read& read) {
    std::map<ggml_type, Value> values;
    for (const auto& [type, value] : json.items()) values[type_by_name(type)] = read(value);
    return values;
}

const auto itself = [](const auto& value) { return Json(value); };

Json file_json(const FileBasis& file) {
    const WeightMemory& m = file.memory;
    const Quality& q = file.quality;
    return {{"preset", file.preset},
            {"file_bytes", file.file_bytes},
            {"bits_per_weight", file.bits_per_weight},
            {"tensor_bytes", m.tensor_bytes},
            {"rearranged_output_bytes", m.rearranged_output_bytes},
            {"rearranged_largest_bytes", m.rearranged_largest_bytes},
            {"runtime_bytes", m.runtime_bytes},
            {"weight_bytes", by_type(file.work.weight_bytes, itself)},
            {"n_weights", by_type(file.work.n_weights, itself)},
            {"quality",
             {{"kl_divergence", q.kl_divergence},
              {"low", q.low},
              {"high", q.high},
              {"perplexity", q.perplexity},
              {"perplexity_original", q.perplexity_original}}},
            {"grade", grade_name(q.grade)},
            {"source", q.source}};
}

FileBasis read_file_basis(const Json& json) {
    FileBasis file;
    json.at("preset").get_to(file.preset);
    json.at("file_bytes").get_to(file.file_bytes);
    json.at("bits_per_weight").get_to(file.bits_per_weight);
    json.at("tensor_bytes").get_to(file.memory.tensor_bytes);
    json.at("rearranged_output_bytes").get_to(file.memory.rearranged_output_bytes);
    json.at("rearranged_largest_bytes").get_to(file.memory.rearranged_largest_bytes);
    json.at("runtime_bytes").get_to(file.memory.runtime_bytes);
    const auto integer = [](const Json& value) { return value.get<int64_t>(); };
    file.work.weight_bytes = read_by_type<int64_t>(json.at("weight_bytes"), integer);
    file.work.n_weights = read_by_type<int64_t>(json.at("n_weights"), integer);
    const Json& quality = json.at("quality");
    quality.at("kl_divergence").get_to(file.quality.kl_divergence);
    quality.at("low").get_to(file.quality.low);
    quality.at("high").get_to(file.quality.high);
    quality.at("perplexity").get_to(file.quality.perplexity);
    quality.at("perplexity_original").get_to(file.quality.perplexity_original);
    file.quality.grade = grade_by_name(json.at("grade").get<std::string>());
    json.at("source").get_to(file.quality.source);
    return file;
}

Json loss_json(const std::optional<Estimate>& loss) {
    if (!loss) return nullptr;
    return {{"kl_divergence", loss->mean}, {"low", loss->low}, {"high", loss->high}};
}

std::optional<Estimate> read_loss(const Json& json) {
    if (json.is_null()) return std::nullopt;
    return Estimate{json.at("kl_divergence"), json.at("low"), json.at("high")};
}

Json cache_json(const CacheBasis& cache) {
    return {{"kv_type", cache.kv_type},
            {"n_ctx", cache.n_ctx},
            {"kv_bytes", cache.footprint.kv_bytes},
            {"compute_bytes", cache.footprint.compute_bytes},
            {"output_bytes", cache.footprint.output_bytes},
            {"n_nodes", cache.footprint.n_nodes},
            {"loss", loss_json(cache.loss)}};
}

CacheBasis read_cache(const Json& json) {
    CacheBasis cache;
    json.at("kv_type").get_to(cache.kv_type);
    json.at("n_ctx").get_to(cache.n_ctx);
    json.at("kv_bytes").get_to(cache.footprint.kv_bytes);
    json.at("compute_bytes").get_to(cache.footprint.compute_bytes);
    json.at("output_bytes").get_to(cache.footprint.output_bytes);
    json.at("n_nodes").get_to(cache.footprint.n_nodes);
    cache.loss = read_loss(json.value("loss", Json()));  // pages of older versions have none
    return cache;
}

Json model_json(const ModelBasis& model) {
    Json files = Json::array(), caches = Json::array();
    for (const FileBasis& file : model.files) files.push_back(file_json(file));
    for (const CacheBasis& cache : model.caches) caches.push_back(cache_json(cache));
    const QualityLine& line = model.mix_quality;
    return {
        {"name", model.name},
        {"asked", model.asked},
        {"family", model.family},
        {"stem", model.stem},
        {"source", model.source},
        {"is_remote", model.is_remote},
        {"n_params", model.n_params},
        {"n_ctx_train", model.n_ctx_train},
        {"heads_per_kv_head", model.heads_per_kv_head},
        {"level", model.level},
        {"mix_quality",
         {{"ln_kl_at_4_bits", line.ln_kl_at_4_bits},
          {"ln_kl_per_bit", line.ln_kl_per_bit},
          {"low_factor", line.low_factor},
          {"high_factor", line.high_factor},
          {"source", line.source}}},
        {"speed_as_it_is", {{"factor", model.speed_as_it_is.factor}, {"half_width", model.speed_as_it_is.half_width}}},
        {"files", std::move(files)},
        {"caches", std::move(caches)}};
}

ModelBasis read_model_basis(const Json& json) {
    ModelBasis model;
    json.at("name").get_to(model.name);
    json.at("asked").get_to(model.asked);
    json.at("family").get_to(model.family);
    json.at("stem").get_to(model.stem);
    json.at("source").get_to(model.source);
    json.at("is_remote").get_to(model.is_remote);
    json.at("n_params").get_to(model.n_params);
    json.at("n_ctx_train").get_to(model.n_ctx_train);
    json.at("heads_per_kv_head").get_to(model.heads_per_kv_head);
    json.at("level").get_to(model.level);
    const Json& line = json.at("mix_quality");
    line.at("ln_kl_at_4_bits").get_to(model.mix_quality.ln_kl_at_4_bits);
    line.at("ln_kl_per_bit").get_to(model.mix_quality.ln_kl_per_bit);
    line.at("low_factor").get_to(model.mix_quality.low_factor);
    line.at("high_factor").get_to(model.mix_quality.high_factor);
    line.at("source").get_to(model.mix_quality.source);
    json.at("speed_as_it_is").at("factor").get_to(model.speed_as_it_is.factor);
    json.at("speed_as_it_is").at("half_width").get_to(model.speed_as_it_is.half_width);
    for (const Json& file : json.at("files")) model.files.push_back(read_file_basis(file));
    for (const Json& cache : json.at("caches")) model.caches.push_back(read_cache(cache));
    return model;
}

Json kernels_json(const KernelTable& kernels) {
    const auto speed_json = [](const KernelSpeed& speed) {
        return Json{{"read_bytes_per_s", speed.read_bytes_per_s}, {"flops_per_s", speed.flops_per_s}};
    };
    return {{"n_threads", kernels.n_threads},
            {"speeds", by_type(kernels.speeds, speed_json)},
            {"attention_flops_per_s", by_type(kernels.attention_flops_per_s, itself)},
            {"overhead_s_per_node", kernels.overhead_s_per_node}};
}

KernelTable read_kernels(const Json& json) {
    KernelTable kernels;
    json.at("n_threads").get_to(kernels.n_threads);
    kernels.speeds = read_by_type<KernelSpeed>(json.at("speeds"), [](const Json& speed) {
        return KernelSpeed{speed.at("read_bytes_per_s"), speed.at("flops_per_s"), 0};
    });
    kernels.attention_flops_per_s =
        read_by_type<double>(json.at("attention_flops_per_s"), [](const Json& value) { return value.get<double>(); });
    json.at("overhead_s_per_node").get_to(kernels.overhead_s_per_node);
    return kernels;
}

/// Bits of every type that is named: the page has no engine to ask.
Json bits_json(const FitBasis& basis) {
    Json bits = Json::object();
    const auto add = [&](ggml_type type) { bits[type_label(type)] = type_bits(type); };
    for (const ModelBasis& model : basis.models) {
        for (const FileBasis& file : model.files)
            for (const auto& [type, bytes] : file.work.weight_bytes) add(type);
        for (const CacheBasis& cache : model.caches) bits[cache.kv_type] = cache_bits(cache_types(cache.kv_type));
    }
    return bits;
}

}  // namespace

Json basis_json(const FitBasis& basis) {
    Json models = Json::array(), described = Json::array();
    for (const ModelBasis& model : basis.models) models.push_back(model_json(model));
    for (const Machine& machine : basis.described) described.push_back(to_json(machine));
    return {{"models", std::move(models)},
            {"type_bits", bits_json(basis)},
            {"comparison", basis.comparison},
            {"kernels", basis.kernels ? kernels_json(*basis.kernels) : Json(nullptr)},
            {"described", std::move(described)}};
}

Json conditions_json(const FitConditions& conditions) {
    return {{"machine", to_json(conditions.machine)},
            {"n_ctx", conditions.n_ctx},
            {"kv_types", conditions.kv_types},
            {"prefer", prefer_name(conditions.prefer)},
            {"min_tokens_per_s", conditions.min_tokens_per_s}};
}

FitBasis basis_from_json(const Json& json) {
    return read_json("basis of a decision", [&] {
        FitBasis basis;
        for (const Json& model : json.at("models")) basis.models.push_back(read_model_basis(model));
        json.at("comparison").get_to(basis.comparison);
        if (!json.at("kernels").is_null()) basis.kernels = read_kernels(json.at("kernels"));
        for (const Json& machine : json.at("described")) basis.described.push_back(machine_from_json(machine));
        return basis;
    });
}

FitConditions conditions_from_json(const Json& json) {
    return read_json("conditions of a decision", [&] {
        FitConditions conditions;
        conditions.machine = machine_from_json(json.at("machine"));
        json.at("n_ctx").get_to(conditions.n_ctx);
        json.at("kv_types").get_to(conditions.kv_types);
        conditions.prefer = prefer_by_name(json.at("prefer").get<std::string>());
        json.at("min_tokens_per_s").get_to(conditions.min_tokens_per_s);
        return conditions;
    });
}

}  // namespace ech0
