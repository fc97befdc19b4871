#include "fit/run_plan.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "ech0/session.h"
#include "plan/kept_kv_plan.h"
#include "plan/presets.h"
#include "runtime/cache_types.h"
#include "runtime/footprint.h"

namespace ech0 {
namespace {

constexpr int64_t usual_n_ctx = 4096, least_n_ctx = 1024;

RunPlan plan_with(const Model& model, const Machine& machine, const FootprintProbe& probe, const Preset& preset,
                  int64_t n_ctx, const CacheTypes& types, int n_threads) {
    const Footprint footprint =
        probe.of({.n_ctx = n_ctx, .n_outputs = 1, .n_threads = n_threads, .type_k = types.k, .type_v = types.v});
    RunPlan plan;
    plan.n_ctx = n_ctx;
    plan.kv_type = cache_name(types);
    plan.memory = memory_of(model, preset, footprint, machine.backend == "CPU");
    plan.budget_bytes = machine.model_budget_bytes;
    plan.fits = plan.memory.total_bytes() <= plan.budget_bytes;
    return plan;
}

/// What may be taken at this context, the best first.
std::vector<CacheTypes> types_to_try(const RunWish& wish, const std::optional<KeptKvPlan>& kept) {
    if (!wish.kv_type.empty()) return {cache_types(wish.kv_type)};
    if (kept) return kept->good();
    return {{"f16", "f16"}, {"q8_0", "q8_0"}};
}

std::string why(const RunWish& wish, const std::optional<KeptKvPlan>& kept, const RunPlan& plan) {
    if (!wish.kv_type.empty() || !kept) return "";
    if (!plan.fits)
        return fmt::format(
            "no cache fits that 'ech0 kv plan' measured to be within {:.2g} nats per token of f16; --kv TYPE "
            "takes another",
            kept->most_kl);
    const Estimate* const loss = kept->loss_of(cache_types(plan.kv_type));
    if (loss == nullptr || plan.kv_type == "f16") return "";
    return fmt::format(
        "a {} cache: f16 does not fit, and this is the closest that does by 'ech0 kv plan', {:.2g} nats per "
        "token from it (at most {:.2g})",
        plan.kv_type, loss->mean, loss->high);
}

}  // namespace

RunPlan plan_run(const Model& model, const Machine& machine, const RunWish& wish) {
    const FootprintProbe probe(model);
    const Preset preset = preset_as_it_is(model);
    const int64_t trained = model.n_ctx_train > 0 ? model.n_ctx_train : usual_n_ctx;
    int64_t n_ctx = wish.n_ctx > 0 ? wish.n_ctx : std::min(trained, usual_n_ctx);
    RunPlan plan;
    for (;; n_ctx /= 2) {
        const std::optional<KeptKvPlan> kept = kept_kv_plan(model, n_ctx);
        for (const CacheTypes& types : types_to_try(wish, kept)) {
            plan = plan_with(model, machine, probe, preset, n_ctx, types, wish.n_threads);
            plan.kv_why = why(wish, kept, plan);
            if (plan.fits) return plan;
        }
        if (wish.n_ctx > 0 || n_ctx / 2 < least_n_ctx) break;
    }
    plan.mapped = machine.backend == "CPU";
    return plan;
}

}  // namespace ech0
