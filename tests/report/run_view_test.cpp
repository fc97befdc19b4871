#include "report/run_view.h"

#include <doctest/doctest.h>

#include "report/bench.h"
#include "report/compress.h"
#include "report/doctor.h"
#include "report/prune.h"

using namespace ech0;

namespace {

Bench make_bench() {
    Bench bench;
    bench.machine = "a processor, 2 threads";
    bench.speed = {.n_prompt = 128, .n_generate = 32, .n_ctx = 512, .type_k = "q8_0", .type_v = "q8_0"};
    bench.rows = {{"slow.gguf", {{20, 15, 25}, 21}, {{200, 150, 250}, 300}, {{1e9, 0.97e9, 1.03e9}, 1.01e9}, 0.25, {}},
                  {"fast.gguf", {{40, 30, 50}, 60}, {{300, 225, 375}, 310}, {{5e8, 4.8e8, 5.2e8}, 5.1e8}, 0.5, {}}};
    bench.rows[1].spread = {{{"this machine", 10, 100, 200}, {"192.168.1.7:50052", 21, 300, 400}}, {155, 45, 1 << 28}};
    bench.fastest = 1;
    return bench;
}

Pruning make_pruning() {
    Pruning p;
    p.source_path = "a.gguf", p.path = "b.gguf", p.architecture = "deci";
    p.repair = Repair::bias;
    p.size_bytes = 1000000;
    p.n_layer_before = 3;
    p.n_params_before = 5000000, p.n_params = 4000000;
    p.layers = {{0, 4, 3, 1024, 1024}, {2, 4, 4, 1024, 768}};
    p.trials = {{"heads and channels", 0.15, 0.2, 0.3, 0.25, false}, {"a layer", 0.08, 0.1, 0.2, 0.15, true}};
    p.trials[1].checks = {{0.02, 0.02, 0.021}, {0.05, 0.0525, 0.06}};
    p.predicted_kl = 0.1, p.added_up_kl = 0.08, p.kl_unrepaired = 0.2, p.kl_repaired = 0.15;
    p.n_tokens_judged = 2048;
    p.seconds = 61, p.peak_memory_bytes = 1 << 30;
    return p;
}

Artifact make_artifact() {
    Artifact a;
    a.source_path = "a.gguf", a.path = "b.gguf";
    a.size_bytes = 900, a.bits_per_weight = 4.5;
    a.plan.budget_bytes = 1000, a.plan.predicted_kl = 0.05, a.plan.measured_kl = 0.06;
    a.plan.tensors = {{"x", 0, "Q4_K", 500, 0.01, 0.02}, {"y", 0, "Q6_K", 400, 0.001, 0.03}};
    a.plan.tried = {{"more bits for y", true, 0.06}, {"x fell back", false, 0}};
    a.seconds = 12, a.peak_memory_bytes = 1 << 20, a.predicted_peak_memory_bytes = 2 << 20;
    return a;
}

Checkup make_checkup() {
    Checkup checkup;
    checkup.probe.machine.title = "a machine";
    checkup.probe.machine.backend = "CPU";
    checkup.probe.machine.cores = 2;
    checkup.probe.host.processor = "a processor";
    checkup.probe.host.cores = 2, checkup.probe.host.cores_total = 4;
    checkup.probe.host.swap_total_bytes = 1 << 30, checkup.probe.host.swap_used_bytes = 1 << 20;
    checkup.backends = {"CPU", "RPC"};
    checkup.engine = "engine 1";
    checkup.runtimes = {{"Ollama", "/usr/bin/ollama", "0.5"}};
    checkup.disks = {{"cache", "/home/x", 1000, 2000}};
    checkup.scores = {{"tokens_per_s", {10, 9}}};
    checkup.problems = {{"it is full", "empty it"}};
    return checkup;
}

}  // namespace

TEST_CASE("what was written as JSON is shown as the command showed it") {
    CHECK(run_view(bench_json(make_bench()), {}) == bench_text(make_bench()));
    CHECK(run_view(prune_json(make_pruning()), {}) == prune_text(make_pruning()));
    CHECK(run_view(compress_json(make_artifact()), {}) == compress_text(make_artifact()));
    CHECK(run_view(doctor_json(make_checkup()), {}) == doctor_text(make_checkup()));
}

TEST_CASE("a model over workers is told beside the same on this machine alone") {
    const std::string text = bench_text(make_bench());
    CHECK(text.find("over workers") != std::string::npos);
    CHECK(text.find("45 (0.75 x)") != std::string::npos);
    CHECK(text.find("155 (0.50 x)") != std::string::npos);
    CHECK(text.find("this machine 10, 192.168.1.7:50052 21") != std::string::npos);
    Bench alone = make_bench();
    alone.rows[1].spread.reset();
    CHECK(bench_text(alone).find("over workers") == std::string::npos);
}

TEST_CASE("Markdown has a heading, lists and tables") {
    const std::string text = run_view(doctor_json(make_checkup()), {.markdown = true});
    CHECK(text.starts_with("# a machine\n\n- **runs on**: CPU\n"));
    CHECK(text.find("| Ollama | 0.5 | /usr/bin/ollama |") != std::string::npos);
}

TEST_CASE("a format without a page of its own becomes a list of its values") {
    const Json run = {{"schema", "ech0.models.rm/1"}, {"name", "x"}, {"size_bytes", 12}, {"files", {"a", "b"}}};
    const std::string text = run_view(run, {});
    CHECK(text.starts_with("ech0.models.rm/1\n"));
    CHECK(text.find("size_bytes    12\n") != std::string::npos);
    CHECK(text.find("files         2 entries\n") != std::string::npos);
}

TEST_CASE("a report that contradicts itself is refused") {
    Json run = bench_json(make_bench());
    run["models"] = Json::array();
    CHECK_THROWS_WITH_AS(run_view(run, {}), "models is empty, wanted one at least", FormatError);
    run = prune_json(make_pruning());
    run["repair"] = "magic";
    CHECK_THROWS_WITH_AS(run_view(run, {}), doctest::Contains("no repair 'magic'"), FormatError);
}
