#include "machine/kernels.h"

#include <fmt/format.h>
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "base/file.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/sha256.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "machine/budget.h"
#include "machine/devices.h"
#include "machine/host.h"
#include "model/blueprint.h"
#include "runtime/engine.h"
#include "runtime/footprint.h"
#include "runtime/ggml_types.h"
#include "runtime/placement.h"

namespace ech0 {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

constexpr int64_t n_cols = 4096;
constexpr int64_t decode_bytes = 192 << 20;  // beyond the last cache of most processors
constexpr int64_t prompt_rows = 2048, prompt_tokens = 256;
constexpr double wanted_s = 0.04;
constexpr int64_t n_kv = 2048, n_head = 32, n_head_kv = 8, n_embd_head = 128;  // of a model of 7e9 weights

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// How much of the time since it was made this process's threads wanted a processor and had none.
class Waiting {
public:
    explicit Waiting(int n_threads) : n_threads_(n_threads) {}
    double share() const {
        const double there = seconds_since(began_) * n_threads_;
        return there > 0 ? std::max(0.0, waited_for_processor_s() - before_) / there : 0;
    }

private:
    int n_threads_;
    Clock::time_point began_ = Clock::now();
    double before_ = waited_for_processor_s();
};

int64_t unix_time_s() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Figures of a busy machine say little about it later; also if the clock was set back since.
bool is_stale(const json& known) {
    constexpr int64_t busy_figures_last_s = 600;
    const int64_t age = unix_time_s() - known.value("timed_at", int64_t{0});
    return known.value("waited_share", 0.0) > Kernels::busy_share && (age < 0 || age > busy_figures_last_s);
}

/// The device that a model's weights go to.
ggml_backend_dev_t weight_device() {
    start_engine();
    const std::vector<Device> gpus = weight_devices(engine_devices());
    ggml_backend_dev_t device = gpus.empty() ? ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)
                                             : ggml_backend_dev_by_name(gpus.front().name.c_str());
    if (device == nullptr) throw EngineError("measure kernels: the engine has no device");
    return device;
}

/// Times the engine's kernels.
class Bench {
public:
    Bench(ggml_backend_dev_t device, int n_threads) : device_(device), backend_(start_device(device, n_threads)) {}

    /// Best and median seconds of some passes of products weights x tokens, one matrix after the other.
    std::pair<double, double> products(ggml_type type, int64_t n_columns, int64_t n_rows, int64_t n_matrices,
                                       int64_t n_tokens) {
        Graph graph;
        ggml_tensor* tokens = ggml_new_tensor_2d(graph.context.get(), GGML_TYPE_F32, n_columns, n_tokens);
        std::vector<ggml_tensor*> weights;
        ggml_backend_buffer_type_t place = nullptr;
        for (int64_t i = 0; i < n_matrices; i++) {
            weights.push_back(ggml_new_tensor_2d(graph.context.get(), type, n_columns, n_rows));
            ggml_tensor* result = ggml_mul_mat(graph.context.get(), weights.back(), tokens);
            ggml_build_forward_expand(graph.graph, result);
            if (i == 0) place = weight_buffer_type(device_, result);
        }
        const size_t each = GGML_PAD(ggml_backend_buft_get_alloc_size(place, weights.front()), 4096);
        const ggml_backend_buffer_ptr held(
            ggml_backend_buft_alloc_buffer(place, each * static_cast<size_t>(n_matrices) + 4096));
        if (!held) throw engine_error("get memory to measure kernels in");
        auto* at = static_cast<uint8_t*>(ggml_backend_buffer_get_base(held.get()));
        for (ggml_tensor* matrix : weights) {
            ggml_backend_tensor_alloc(held.get(), matrix, at);
            at += each;
        }
        ggml_backend_buffer_set_usage(held.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        // Kernels don't care which numbers they multiply, as long as they are numbers; this byte makes ordinary halves.
        ggml_backend_buffer_clear(held.get(), 0x2a);
        return run(graph, {tokens});
    }

    std::pair<double, double> attention(ggml_type type, int64_t n_tokens) {
        Graph graph;
        ggml_context* c = graph.context.get();
        ggml_tensor* q = ggml_new_tensor_4d(c, GGML_TYPE_F32, n_embd_head, n_tokens, n_head, 1);
        ggml_tensor* k = ggml_new_tensor_4d(c, type, n_embd_head, n_kv, n_head_kv, 1);
        ggml_tensor* v = ggml_new_tensor_4d(c, type, n_embd_head, n_kv, n_head_kv, 1);
        ggml_tensor* mask = ggml_new_tensor_4d(c, GGML_TYPE_F16, n_kv, GGML_PAD(n_tokens, 64), 1, 1);
        ggml_tensor* out = ggml_flash_attn_ext(c, q, k, v, mask, 0.1F, 0, 0);
        ggml_build_forward_expand(graph.graph, out);
        if (!ggml_backend_dev_supports_op(device_, out))
            throw EngineError(fmt::format("this device has no attention for a {} cache", type_label(type)));
        return run(graph, {q, k, v, mask});
    }

private:
    struct Graph {
        static constexpr size_t n_most = 1024;
        ggml_context_ptr context{
            ggml_init({n_most * ggml_tensor_overhead() + ggml_graph_overhead_custom(n_most, false), nullptr, true})};
        ggml_cgraph* graph = ggml_new_graph_custom(context.get(), n_most, false);
    };

    std::pair<double, double> run(const Graph& graph, const std::vector<ggml_tensor*>& inputs) {
        const ggml_backend_buffer_ptr rest(ggml_backend_alloc_ctx_tensors(graph.context.get(), backend_.get()));
        if (!rest) throw engine_error("get memory to measure kernels in");
        for (ggml_tensor* input : inputs) {
            const std::vector<uint8_t> zeros(ggml_nbytes(input), 0);
            ggml_backend_tensor_set(input, zeros.data(), 0, zeros.size());
        }
        std::vector<double> seconds;
        const Clock::time_point begin = Clock::now();
        // The first pass wakes threads and fills tables.
        for (int pass = 0; pass < 4 || (seconds_since(begin) < wanted_s && pass < 64); pass++) {
            const Clock::time_point start = Clock::now();
            if (ggml_backend_graph_compute(backend_.get(), graph.graph) != GGML_STATUS_SUCCESS)
                throw engine_error("run a kernel");
            if (pass > 0) seconds.push_back(seconds_since(start));
        }
        std::sort(seconds.begin(), seconds.end());
        return {seconds.front(), seconds[seconds.size() / 2]};
    }

    ggml_backend_dev_t device_;
    ggml_backend_ptr backend_;
};

/// A model of small matrices without a vocabulary: more than half of what its tokens take is overhead.
Blueprint hollow_model() {
    Blueprint b = *find_blueprint("smollm2:135m");
    b.n_vocab = 32;
    return b;
}

/// Seconds of a token, its products taken off, per operation.
/// @param read_bytes_per_s  of Q4_0 weights
double measure_overhead(int n_threads, double read_bytes_per_s) {
    const std::filesystem::path folder = cache_folder() / "blueprints";
    std::filesystem::create_directories(folder);
    const std::filesystem::path file = folder / "hollow.gguf";
    write_hollow_model(hollow_model(), GGML_TYPE_Q4_0, file);
    const Model model = read_model(file.string());
    const int64_t n_nodes = FootprintProbe(model).of({.n_ctx = 256, .n_outputs = 1}).n_nodes;
    Session session(model, {.n_ctx = 256, .n_outputs = 1, .n_threads = n_threads});
    const std::vector<int32_t> token = {1};
    std::vector<double> seconds;
    constexpr int n_warm = 8, n_tokens = 64;
    for (int i = 0; i < n_warm + n_tokens; i++) {
        const Clock::time_point begin = Clock::now();
        session.decode(token, 0);
        seconds.push_back(seconds_since(begin));
    }
    const double token_s = std::accumulate(seconds.begin() + n_warm, seconds.end(), 0.0) / n_tokens;
    const double rest_s = token_s - static_cast<double>(model.tensor_bytes) / read_bytes_per_s;
    return std::max(1e-9, rest_s / static_cast<double>(n_nodes));
}

}  // namespace

Kernels::Kernels(int n_threads) : n_threads_(n_threads > 0 ? n_threads : default_threads()) {
    device_ = ggml_backend_dev_name(weight_device());
    key_ = fmt::format("{} {} {} {}", processor_name(), ggml_backend_dev_description(weight_device()),
                       engine_description(), n_threads_);
    file_ = cache_folder() / fmt::format("kernels-{}.json", sha256(key_).substr(0, 12));
    if (!std::filesystem::exists(file_)) return;
    const json known = json::parse(read_file(file_), nullptr, false);
    if (!known.is_object() || known.value("key", "") != key_ || is_stale(known)) return;
    const json types = known.value("types", json::object()), attention = known.value("attention", json::object());
    for (const auto& [type, speed] : types.items())
        speeds_[type_by_name(type)] = {speed.value("read_bytes_per_s", 0.0), speed.value("flops_per_s", 0.0),
                                       speed.value("spread", 0.0)};
    for (const auto& [type, flops] : attention.items()) attention_[type_by_name(type)] = flops.get<double>();
    overhead_s_ = known.value("overhead_s_per_node", 0.0);
    waited_share_ = known.value("waited_share", 0.0);
}

const KernelSpeed& Kernels::of(ggml_type type) {
    const auto known = speeds_.find(type);
    if (known != speeds_.end() && known->second.read_bytes_per_s > 0) return known->second;
    Bench bench(weight_device(), n_threads_);
    const Waiting waiting(n_threads_);
    const auto row_bytes = static_cast<int64_t>(ggml_row_size(type, n_cols));
    const int64_t n_rows = decode_bytes / row_bytes / 64 * 64;
    // Not the best pass but the middle one: whoever waits for an answer gets the machine as it is on average.
    const auto [best, median] = bench.products(type, n_cols, n_rows, 1, 1);
    const double prompt_s = bench.products(type, n_cols, prompt_rows, 1, prompt_tokens).second;
    KernelSpeed speed;
    speed.read_bytes_per_s = static_cast<double>(n_rows * row_bytes) / median;
    speed.flops_per_s = 2.0 * static_cast<double>(n_cols * prompt_rows * prompt_tokens) / prompt_s;
    speed.spread = median / best - 1;
    waited_share_ = std::max(waited_share_, waiting.share());
    changed_ = true;
    return speeds_[type] = speed;
}

double Kernels::attention_flops_per_s(ggml_type kv_type) {
    double& flops = attention_[kv_type];
    if (flops <= 0) {
        Bench bench(weight_device(), n_threads_);
        const Waiting waiting(n_threads_);
        const double seconds = bench.attention(kv_type, 1).second;
        waited_share_ = std::max(waited_share_, waiting.share());
        flops = 4.0 * static_cast<double>(n_kv * n_head * n_embd_head) / seconds;
        changed_ = true;
    }
    return flops;
}

double Kernels::overhead_s_per_node() {
    if (overhead_s_ <= 0) {
        overhead_s_ = measure_overhead(n_threads_, of(GGML_TYPE_Q4_0).read_bytes_per_s);
        changed_ = true;
    }
    return overhead_s_;
}

KernelTable Kernels::table(const std::set<ggml_type>& types, const std::set<ggml_type>& kv_types) {
    KernelTable table{n_threads_, {}, {}, overhead_s_per_node()};
    for (const ggml_type type : types) table.speeds[type] = of(type);
    for (const ggml_type type : kv_types) table.attention_flops_per_s[type] = attention_flops_per_s(type);
    return table;
}

void Kernels::remember() const {
    if (!changed_) return;
    json types = json::object(), attention = json::object();
    for (const auto& [type, s] : speeds_)
        types[type_label(static_cast<ggml_type>(type))] = {
            {"read_bytes_per_s", s.read_bytes_per_s}, {"flops_per_s", s.flops_per_s}, {"spread", s.spread}};
    for (const auto& [type, flops] : attention_) attention[type_label(static_cast<ggml_type>(type))] = flops;
    const json all = {{"key", key_},
                      {"types", types},
                      {"attention", attention},
                      {"overhead_s_per_node", overhead_s_},
                      {"waited_share", waited_share_},
                      {"timed_at", unix_time_s()}};
    std::filesystem::create_directories(file_.parent_path());
    write_file(file_, all.dump(1));
}

}  // namespace ech0
