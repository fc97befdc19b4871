#include "plan/kept_kv_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "model/model_hash.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path folder_of(const std::string& model_sha256) { return cache_folder() / "kv-plans" / model_sha256; }

std::optional<KeptKvPlan> read_plan(const fs::path& file) {
    try {
        const json kept = json::parse(read_file(file));
        if (kept.at("engine") != engine_description()) return std::nullopt;
        KeptKvPlan plan{
            kept.at("text"), kept.at("text_sha256"), kept.at("n_ctx"), kept.at("n_judged"), kept.at("most_kl"), {}, {}};
        if (kept.at("chosen") != "") plan.chosen = cache_types(kept.at("chosen").get<std::string>());
        for (const json& pair : kept.at("pairs"))
            plan.pairs.push_back(
                {{pair.at("type_k"), pair.at("type_v")}, {pair.at("kl_divergence"), pair.at("low"), pair.at("high")}});
        return plan;
    } catch (const json::exception&) {
    } catch (const Error&) {}
    return std::nullopt;
}

}  // namespace

const Estimate* KeptKvPlan::loss_of(const CacheTypes& types) const {
    const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const KeptKvPair& p) { return p.types == types; });
    return found == pairs.end() ? nullptr : &found->kl;
}

std::vector<CacheTypes> KeptKvPlan::good() const {
    std::vector<KeptKvPair> close;
    std::copy_if(pairs.begin(), pairs.end(), std::back_inserter(close),
                 [&](const KeptKvPair& pair) { return pair.types == CacheTypes{} || pair.kl.high <= most_kl; });
    std::stable_sort(close.begin(), close.end(), [](const KeptKvPair& a, const KeptKvPair& b) {
        const bool a_rounds = !(a.types == CacheTypes{}), b_rounds = !(b.types == CacheTypes{});
        return std::tie(a_rounds, a.kl.mean) < std::tie(b_rounds, b.kl.mean);
    });
    std::vector<CacheTypes> types;
    for (const KeptKvPair& pair : close) types.push_back(pair.types);
    return types;
}

void keep(const KvPlan& plan) {
    json pairs = json::array();
    for (const KvPair& pair : plan.pairs) {
        if (!pair.measured) continue;
        const Estimate worst = pair.worst();
        pairs.push_back({{"type_k", pair.types.k},
                         {"type_v", pair.types.v},
                         {"kl_divergence", worst.mean},
                         {"low", worst.low},
                         {"high", worst.high}});
    }
    const int64_t n_ctx = plan.depths.back();  // as deep as was judged, whatever the bytes are for
    const std::string chosen = plan.chosen ? cache_name(plan.pairs[*plan.chosen].types) : "";
    const json kept = {{"engine", plan.engine},           {"chosen", chosen}, {"text", plan.text},
                       {"text_sha256", plan.text_sha256}, {"n_ctx", n_ctx},   {"n_judged", plan.n_judged},
                       {"most_kl", plan.most_kl},         {"pairs", pairs}};
    const std::string key = sha256(fmt::format("{}\n{}\n{}", plan.engine, plan.text_sha256, n_ctx));
    const fs::path file = folder_of(plan.model_sha256) / (key + ".json");
    std::error_code failure;
    fs::create_directories(file.parent_path(), failure);
    write_file(file, kept.dump(1) + "\n");
}

std::optional<KeptKvPlan> kept_kv_plan(const Model& model, int64_t n_ctx) {
    std::error_code failure;
    if (!model.has_weights || !fs::is_directory(cache_folder() / "kv-plans", failure)) return std::nullopt;
    const std::string hash = remembered_sha256_of_model(model);
    if (hash.empty()) return std::nullopt;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(hash), failure))
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::sort(files.begin(), files.end());  // among equals always the same
    std::optional<KeptKvPlan> best;
    for (const fs::path& file : files) {
        std::optional<KeptKvPlan> plan = read_plan(file);
        if (!plan || plan->n_ctx < n_ctx) continue;
        if (!best || std::make_tuple(plan->n_ctx, -plan->n_judged) < std::make_tuple(best->n_ctx, -best->n_judged))
            best = std::move(plan);
    }
    return best;
}

}  // namespace ech0
