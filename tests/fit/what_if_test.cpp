// The dashboard's page decides by the same rules as the program. tests/data/what_if.json holds bases, conditions and
// what the program decided: it is read here and by web/tests/unit/what_if.test.ts. ECH0_WRITE_WHAT_IF=1 writes it anew
// when a rule has changed; the diff then shows what that did.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/file.h"
#include "ech0/error.h"
#include "fit/fit.h"
#include "report/basis.h"
#include "report/fit.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

const std::filesystem::path vectors = ECH0_SOURCE_FOLDER "/tests/data/what_if.json";

/// What of a decision the page must come to as well.
Json result_json(const Fit& fit) {
    Json whole = fit_json(fit), options = Json::array();
    for (const Json& option : whole["options"]) {
        Json kept;
        for (const char* key :
             {"name", "file_bytes", "bits_per_weight", "memory", "fits", "tokens_per_s", "prompt_tokens_per_s",
              "bound_tokens_per_s", "speed_source", "loss", "on_front", "command"})
            kept[key] = option[key];
        kept["kl_divergence"] = option["quality"]["kl_divergence"];
        if (!option["kv_loss"].is_null()) kept["kv_loss"] = option["kv_loss"];
        options.push_back(kept);
    }
    return {{"recommendation", whole["recommendation"]},
            {"why", whole["why"]},
            {"refused", whole["refused"]},
            {"options", options}};
}

/// Equal to the last few bits: the page's logarithms and exponentials may differ in them.
void check_equal(const std::string& path, const Json& found, const Json& wanted) {
    CAPTURE(path);
    if (wanted.is_number_float()) {
        CHECK(found.get<double>() == doctest::Approx(wanted.get<double>()).epsilon(1e-12));
    } else if (wanted.is_object() || wanted.is_array()) {
        REQUIRE(found.size() == wanted.size());
        for (const auto& [key, value] : wanted.items())
            check_equal(path + "/" + key, wanted.is_array() ? found[std::stoul(key)] : found[key], value);
    } else {
        CHECK(found == wanted);
    }
}

Json case_json(const FitBasis& basis, size_t index, const Machine& machine, int64_t n_ctx,
               const std::vector<std::string>& kv_types, Prefer prefer, double min_tokens_per_s) {
    const FitConditions conditions{machine, n_ctx, kv_types, prefer, min_tokens_per_s};
    return {{"basis", index},
            {"conditions", conditions_json(conditions)},
            {"expected", result_json(decide(basis, conditions))}};
}

FitBasis basis_of(const std::vector<std::string>& models, bool this_machine) {
    BasisOptions options{.models = {}, .contexts = {512, 4096, 8192}, .kv_types = {"f16", "q8_0", "q4_0"}};
    if (this_machine) options.kv_types.emplace_back("q8_0/q5_1");
    for (const std::string& model : models) options.models.push_back(read_model(model));
    options.this_machine = this_machine;
    options.n_threads = 1;
    FitBasis basis = make_basis(options);
    // A few presets and machines say as much as all of them.
    const std::set<std::string> kept = {"IQ1_S", "IQ2_XS", "Q3_K_M", "IQ4_XS", "Q4_K_M", "Q6_K", "Q8_0", "F16"};
    for (ModelBasis& model : basis.models)
        std::erase_if(model.files, [&](const FileBasis& file) { return !kept.contains(file.preset); });
    std::erase_if(basis.described, [](const Machine& m) {
        return m.name != "m4-24gb" && m.name != "m1-16gb" && m.name != "rtx-4090-24gb" && m.name != "rtx-3060-12gb" &&
               m.name != "raspberry-pi-5-8gb";
    });
    return basis;
}

/// As if `kv plan` had been run for one context: losses of the size that small models have.
FitBasis with_measured_caches(FitBasis basis) {
    for (CacheBasis& cache : basis.models.front().caches) {
        if (cache.n_ctx != 4096) continue;
        const double kl = cache.kv_type == "f16" ? 0 : cache.kv_type == "q8_0" ? 0.0007 : 0.061;
        cache.loss = Estimate{kl, 0.8 * kl, 1.25 * kl};
    }
    return basis;
}

void write_vectors() {
    const std::vector<FitBasis> bases = {basis_of({"qwen2.5:32b", "qwen2.5:14b"}, false),
                                         basis_of({"qwen3:30b-a3b"}, false), basis_of({"smollm2:135m"}, true),
                                         with_measured_caches(basis_of({"smollm2:135m"}, false))};
    const Machine m4 = find_machine("m4-24gb");
    Machine unpublished = m4, unheard = m4, here = m4;
    unpublished.published.clear();
    unheard.published.clear();
    unheard.backend = "abacus";
    here.published.clear();
    here.is_this = true;
    here.backend = "CPU";
    here.model_budget_bytes = 400'000'000;
    Json cases = Json::array();
    for (const Prefer prefer : {Prefer::quality, Prefer::balanced, Prefer::speed})
        cases.push_back(case_json(bases[0], 0, m4, 4096, {"f16", "q8_0"}, prefer, 0));
    cases.push_back(case_json(bases[0], 0, m4, 8192, {"q8_0", "q4_0"}, Prefer::balanced, 7.5));
    cases.push_back(case_json(bases[0], 0, with_overrides(m4, 4'000'000'000, 0), 4096, {"f16"}, Prefer::balanced, 0));
    cases.push_back(case_json(bases[0], 0, with_overrides(m4, 0, 60e9), 4096, {"f16"}, Prefer::quality, 100));
    cases.push_back(case_json(bases[1], 1, unpublished, 4096, {"f16", "q8_0"}, Prefer::balanced, 0));
    cases.push_back(case_json(bases[1], 1, unheard, 512, {"q8_0"}, Prefer::quality, 0));
    cases.push_back(case_json(bases[2], 2, here, 512, {"f16", "q8_0"}, Prefer::balanced, 0));
    cases.push_back(
        case_json(bases[2], 2, with_overrides(here, 150'000'000, 0), 4096, {"q8_0", "q4_0"}, Prefer::quality, 0));
    cases.push_back(case_json(bases[2], 2, here, 4096, {"f16", "q8_0/q5_1"}, Prefer::balanced, 0));
    cases.push_back(case_json(bases[3], 3, here, 4096, {"q4_0", "q8_0", "f16"}, Prefer::quality, 0));
    cases.push_back(case_json(bases[3], 3, here, 512, {"f16", "q8_0", "q4_0"}, Prefer::speed, 0));
    // A line for each, so that a diff shows which changed.
    std::string text = "{\"bases\": [";
    for (size_t i = 0; i < bases.size(); i++) text += (i > 0 ? ",\n" : "\n") + basis_json(bases[i]).dump();
    text += "\n], \"cases\": [";
    for (size_t i = 0; i < cases.size(); i++) text += (i > 0 ? ",\n" : "\n") + cases[i].dump();
    write_file(vectors, text + "\n]}\n");
}

}  // namespace

TEST_CASE("a decision from a basis that was written and read again is the one that was kept for the page's rules") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    if (std::getenv("ECH0_WRITE_WHAT_IF") != nullptr) write_vectors();
    const Json all = Json::parse(read_file(vectors));
    REQUIRE(all["cases"].size() >= 10);
    for (const Json& one : all["cases"]) {
        const FitBasis basis = basis_from_json(all["bases"][one["basis"].get<size_t>()]);
        const Fit found = decide(basis, conditions_from_json(one["conditions"]));
        check_equal("", result_json(found), one["expected"]);
    }
}

TEST_CASE("a basis of an older page, which says nothing of what caches cost, is read as one where that is not known") {
    const Json all = Json::parse(read_file(vectors));
    Json basis = all["bases"][3];
    FitConditions measured = conditions_from_json(all["cases"].back()["conditions"]);
    measured.n_ctx = 4096;
    const auto known = [](const Fit& fit) {
        return std::count_if(fit.options.begin(), fit.options.end(),
                             [](const auto& o) { return o.kv_loss.has_value(); });
    };
    CHECK(known(decide(basis_from_json(basis), measured)) > 0);
    for (Json& cache : basis["models"][0]["caches"]) cache.erase("loss");
    CHECK(known(decide(basis_from_json(basis), measured)) == 0);
}

TEST_CASE("a basis has no answer for a context that it was not made for") {
    const FitBasis basis = basis_from_json(Json::parse(read_file(vectors))["bases"][0]);
    FitConditions conditions;
    conditions.machine = find_machine("m4-24gb");
    conditions.n_ctx = 1234;
    CHECK_THROWS_WITH_AS(decide(basis, conditions), doctest::Contains("1234 tokens of context"), UsageError);
}
