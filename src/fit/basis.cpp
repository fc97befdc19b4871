#include "fit/basis.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "fit/choice.h"
#include "model/blueprint.h"
#include "model/metadata.h"
#include "model/remote_model.h"
#include "plan/kept_kv_plan.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

/// Which published model a file is, by its name and shapes; its own name if none.
void set_identity(const Model& model, ModelBasis& basis) {
    const Blueprint* known = find_blueprint(find_string(model.metadata, blueprint_key).value_or(model.asked));
    if (known == nullptr) {
        std::string name = model.name;
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return c == ' ' ? '-' : std::tolower(c); });
        known = find_blueprint(name);
        if (known != nullptr && (known->n_layer != model.n_layer || known->n_embd != model.n_embd)) known = nullptr;
    }
    basis.name = known != nullptr ? known->name : model.asked;
    basis.family = known != nullptr ? known->family : model.architecture;
}

/// What the commands that carry an option out are made of.
void set_words(const Model& model, ModelBasis& basis) {
    basis.asked = model.asked;
    basis.is_remote = is_remote_head(model.files.front());
    basis.stem = model.has_weights ? model.files.front().stem().string() : basis.name;
    std::replace(basis.stem.begin(), basis.stem.end(), ':', '-');
    basis.source = model.has_weights ? model.asked : basis.stem + "-f16.gguf";
}

std::vector<Preset> presets_of(const Model& model) {
    std::vector<Preset> presets;
    for (const std::string& name : preset_names()) {
        Preset preset = preset_of(model, name);
        // Rounding a file again to something no smaller only loses.
        if (model.has_weights && preset.file_bytes >= model.size_bytes) continue;
        presets.push_back(std::move(preset));
    }
    if (model.has_weights) presets.push_back(preset_as_it_is(model));
    std::sort(presets.begin(), presets.end(),
              [](const Preset& a, const Preset& b) { return a.file_bytes < b.file_bytes; });
    return presets;
}

Quality quality_of(const QualityCurve& curve, const ModelBasis& model, const Preset& preset) {
    if (preset.name != "as it is")
        return quality_of_preset(curve, model.name, model.n_params, preset.name, preset.bits_per_weight);
    Quality quality = original_perplexity(model.name, model.family, model.n_params);
    quality.kl_divergence = quality.low = quality.high = 0;
    quality.grade = Grade::measured;
    quality.source = "the file itself: what it is compared with";
    return quality;
}

ModelBasis basis_of(const Model& model, const BasisOptions& options, const QualityCurve& curve) {
    ModelBasis basis;
    set_identity(model, basis);
    set_words(model, basis);
    basis.n_params = model.n_params;
    basis.n_ctx_train = model.n_ctx_train;
    basis.heads_per_kv_head = heads_per_kv_head(model);
    basis.mix_quality = curve.line(basis.name, model.n_params, TypeClass::codebook);
    for (const Preset& preset : presets_of(model))
        basis.files.push_back({preset.name, preset.file_bytes, preset.bits_per_weight, weight_memory(model, preset),
                               weight_work(model, preset.types), quality_of(curve, basis, preset)});
    const FootprintProbe probe(model);
    for (const int64_t n_ctx : options.contexts) {
        if (n_ctx > model.n_ctx_train) continue;
        const std::optional<KeptKvPlan> kept = options.kept_kv_plans ? kept_kv_plan(model, n_ctx) : std::nullopt;
        for (const std::string& name : options.kv_types) {
            const CacheTypes types = cache_types(name);
            const SessionOptions session{
                .n_ctx = n_ctx, .n_outputs = 1, .n_threads = options.n_threads, .type_k = types.k, .type_v = types.v};
            const Estimate* const loss = kept ? kept->loss_of(types) : nullptr;
            basis.caches.push_back({name, n_ctx, probe.of(session), loss ? std::optional(*loss) : std::nullopt});
        }
    }
    return basis;
}

void add_this_machine(FitBasis& basis, const BasisOptions& options) {
    std::set<ggml_type> types, kv_types;
    for (const ModelBasis& model : basis.models)
        for (const FileBasis& file : model.files)
            for (const auto& [type, bytes] : file.work.weight_bytes) types.insert(type);
    for (const std::string& name : options.kv_types) {
        const CacheTypes cache = cache_types(name);
        kv_types.insert({type_by_name(cache.k), type_by_name(cache.v)});
    }
    Kernels kernels(options.n_threads);
    basis.kernels = kernels.table(types, kv_types);
    kernels.remember();
    // What was measured of a file holds for that file; others made of it have other types.
    const std::vector<Score> scores = read_scores();
    for (ModelBasis& model : basis.models)
        model.speed_as_it_is =
            correction(scores, "tokens_per_s", score_machine(kernels.n_threads()), model.asked, first_speed_half_width);
}

}  // namespace

FitBasis make_basis(const BasisOptions& options) {
    const QualityCurve curve;
    FitBasis basis;
    for (const Model& model : options.models) basis.models.push_back(basis_of(model, options, curve));
    std::vector<ComparedModel> compared;
    for (const ModelBasis& model : basis.models) compared.push_back({model.name, model.family, model.n_params});
    const Levels levels = compare_models(compared);
    for (size_t i = 0; i < levels.of.size(); i++) basis.models[i].level = levels.of[i];
    basis.comparison = levels.words;
    basis.described = machine_profiles();
    if (options.this_machine) add_this_machine(basis, options);
    return basis;
}

}  // namespace ech0
