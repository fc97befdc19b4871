#include "fit/run_plan.h"

#include <algorithm>
#include <vector>

#include "ech0/session.h"
#include "plan/presets.h"
#include "runtime/footprint.h"

namespace ech0 {
namespace {

constexpr int64_t usual_n_ctx = 4096, least_n_ctx = 1024;

RunPlan plan_with(const Model& model, const Machine& machine, const FootprintProbe& probe, const Preset& preset,
                  int64_t n_ctx, const std::string& kv_type, int n_threads) {
    const Footprint footprint =
        probe.of({.n_ctx = n_ctx, .n_outputs = 1, .n_threads = n_threads, .type_k = kv_type, .type_v = kv_type});
    RunPlan plan;
    plan.n_ctx = n_ctx;
    plan.kv_type = kv_type;
    plan.memory = memory_of(model, preset, footprint, machine.backend == "CPU");
    plan.budget_bytes = machine.model_budget_bytes;
    plan.fits = plan.memory.total_bytes() <= plan.budget_bytes;
    return plan;
}

}  // namespace

RunPlan plan_run(const Model& model, const Machine& machine, const RunWish& wish) {
    const FootprintProbe probe(model);
    const Preset preset = preset_as_it_is(model);
    const std::vector<std::string> types =
        wish.kv_type.empty() ? std::vector<std::string>{"f16", "q8_0"} : std::vector<std::string>{wish.kv_type};
    const int64_t trained = model.n_ctx_train > 0 ? model.n_ctx_train : usual_n_ctx;
    int64_t n_ctx = wish.n_ctx > 0 ? wish.n_ctx : std::min(trained, usual_n_ctx);
    RunPlan plan;
    for (;; n_ctx /= 2) {
        for (const std::string& type : types) {
            plan = plan_with(model, machine, probe, preset, n_ctx, type, wish.n_threads);
            if (plan.fits) return plan;
        }
        if (wish.n_ctx > 0 || n_ctx / 2 < least_n_ctx) break;
    }
    plan.mapped = machine.backend == "CPU";
    return plan;
}

}  // namespace ech0
