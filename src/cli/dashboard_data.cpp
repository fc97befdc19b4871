#include "cli/dashboard_data.h"

#include <algorithm>
#include <set>

#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

/// Contexts that the page's slider stops at: powers of two, and the one that was asked for.
std::vector<int64_t> contexts_of(const std::vector<Model>& models, int64_t asked) {
    constexpr int64_t least = 512, most = 131072;
    int64_t longest = 0;
    for (const Model& model : models) longest = std::max(longest, model.n_ctx_train);
    std::set<int64_t> contexts = {asked};
    for (int64_t n_ctx = least; n_ctx <= std::min(longest, most); n_ctx *= 2) contexts.insert(n_ctx);
    return {contexts.begin(), contexts.end()};
}

/// Types of cache whose blocks divide every model's heads.
std::vector<std::string> kv_types_of(const std::vector<Model>& models, const std::vector<std::string>& asked) {
    std::vector<std::string> types = asked;
    for (const char* name : {"f16", "q8_0", "q4_0"}) {
        const bool fits = std::all_of(models.begin(), models.end(), [&](const Model& model) {
            return row_fits(type_by_name(name), model.n_embd_head_k) &&
                   row_fits(type_by_name(name), model.n_embd_head_v);
        });
        if (fits && std::find(types.begin(), types.end(), name) == types.end()) types.emplace_back(name);
    }
    return types;
}

}  // namespace

Dashboard make_dashboard(DashboardWish wish) {
    Dashboard dashboard;
    dashboard.runs = std::move(wish.runs);
    dashboard.models = std::move(wish.models);
    dashboard.conditions = std::move(wish.conditions);
    dashboard.command = std::move(wish.command);
    for (const Model& model : dashboard.models) check_context(model, dashboard.conditions.n_ctx);
    std::vector<std::string>& kv_types = dashboard.conditions.kv_types;
    if (kv_types == FitConditions{}.kv_types) kv_types = usual_kv_types(dashboard.models, dashboard.conditions.n_ctx);
    dashboard.here = dashboard.conditions.machine.is_this ? dashboard.conditions.machine : probe_machine();
    dashboard.basis = make_basis({.models = dashboard.models,
                                  .contexts = contexts_of(dashboard.models, dashboard.conditions.n_ctx),
                                  .kv_types = kv_types_of(dashboard.models, kv_types),
                                  .this_machine = true,
                                  .n_threads = wish.n_threads,
                                  .kept_kv_plans = true});
    dashboard.decision = decide(dashboard.basis, dashboard.conditions);
    const std::string machine = score_machine(wish.n_threads);
    for (const Score& score : read_scores())
        if (score.machine == machine) dashboard.scores.push_back(score);
    return dashboard;
}

}  // namespace ech0
