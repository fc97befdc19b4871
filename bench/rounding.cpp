// What is each part of the rounding worth? Every layer matrix in one type, embedding and output as they are, KL
// divergence to the original on each text.
//
//   rounding MODEL TYPE CHUNKS "VARIANT VARIANT…" TEXT…
//
// A variant is comma-separated: plain (the engine's rounding with importance), feedback, sequential, choose (settings
// by held-out chunks), and settings shrink=0.2 step=0.5 stream=0.5 ridge=0.05 sweeps=2 tokens=20000 widest=512
// threads=2. CSV on stdout.

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <numeric>
#include <sstream>

#include "base/file.h"
#include "calibrate/chunks.h"
#include "calibrate/text.h"
#include "compress/sensitivity.h"
#include "compress/sequential.h"
#include "ech0/error.h"
#include "plan/candidates.h"
#include "runtime/engine.h"
#include "runtime/ggml_types.h"

namespace {

using namespace ech0;

struct Variant {
    std::string name;
    RoundingOptions options;
    size_t n_tokens = 1 << 30;
    int n_threads = default_threads();
    MomentLimits limits = {};
};

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream in(text);
    for (std::string part; std::getline(in, part, separator);)
        if (!part.empty()) parts.push_back(part);
    return parts;
}

Variant parse(const std::string& text) {
    Variant v{text};
    v.options.feedback = v.options.sequential = v.options.held_out = false;
    for (const std::string& part : split(text, ',')) {
        const std::vector<std::string> sides = split(part, '=');
        const float value = sides.size() > 1 ? std::strtof(sides[1].c_str(), nullptr) : 0;
        if (sides[0] == "feedback")
            v.options.feedback = true;
        else if (sides[0] == "sequential")
            v.options.sequential = true;
        else if (sides[0] == "choose")
            v.options.held_out = true;
        else if (sides[0] == "shrink")
            v.options.shrinkage = value;
        else if (sides[0] == "step")
            v.options.repair.step = value;
        else if (sides[0] == "stream")
            v.options.repair.stream_step = value;
        else if (sides[0] == "ridge")
            v.options.repair.ridge = value;
        else if (sides[0] == "sweeps")
            v.options.descent.sweeps = static_cast<int>(value);
        else if (sides[0] == "tokens")
            v.n_tokens = static_cast<size_t>(value);
        else if (sides[0] == "widest")
            v.limits.widest = static_cast<int64_t>(value);
        else if (sides[0] == "threads")
            v.n_threads = static_cast<int>(value);
        else if (sides[0] != "plain")
            throw UsageError("no such setting: " + sides[0]);
    }
    return v;
}

using Rounded = std::map<std::string, std::vector<std::byte>>;

Rounded round_all(const Source& source, ggml_type type, const Variant& variant, const Chunks& all) {
    Chunks chunks;
    const size_t n = std::min(all.size(), std::max<size_t>(1, variant.n_tokens / all.front().size()));
    for (size_t i = 0; i < n; i++) chunks.push_back(all[i * all.size() / n]);
    Rounded rounded;
    const auto type_of = [&](const Tensor& t) {
        return t.name.starts_with("blk.") && is_compressible(t) && row_fits(type, t.n_cols())
                   ? type
                   : static_cast<ggml_type>(t.type);
    };
    const auto known = [&](const Tensor& t) {
        const auto found = rounded.find(t.name);
        return found == rounded.end() ? std::span<const std::byte>() : std::span<const std::byte>(found->second);
    };
    const auto take = [&](const Tensor& t, std::span<const std::byte> b) {
        rounded[t.name].assign(b.begin(), b.end());
    };
    round_sequentially(
        {source, chunks, type_of, variant.options, 512, variant.n_threads, known, take, {}, {}, variant.limits});
    return rounded;
}

std::vector<std::vector<float>> logits_of(const Model& model, const Weights& weights, const Chunks& chunks) {
    std::vector<std::vector<float>> logits(chunks.size());
    Walk walk{{512, 0}, nullptr, {}, "", {}};
    walk.on_logits = [&](int64_t c, std::span<const float> l) {
        logits[static_cast<size_t>(c)].assign(l.begin(), l.end());
    };
    walk_model(model, weights, chunks, walk);
    return logits;
}

int run(int argc, char** argv) {
    if (argc < 6) throw UsageError("rounding MODEL TYPE CHUNKS \"VARIANT …\" TEXT…");
    const Model model = read_model(argv[1]);
    const ggml_type type = type_by_name(argv[2]);
    const auto n_chunks = static_cast<size_t>(std::atoi(argv[3]));
    const Source source(model);
    const Chunks calibration = cut_into_chunks(model, embedded_calibration_text().text, 512).statistics;
    std::vector<Chunks> texts;
    std::vector<std::vector<std::vector<float>>> reference;
    for (int i = 5; i < argc; i++) {
        Chunks chunks = cut_into_chunks(model, read_file(argv[i]).substr(0, 40000 * n_chunks), 512).statistics;
        const size_t n = std::min(n_chunks, chunks.size());
        Chunks spread;
        for (size_t c = 0; c < n; c++) spread.push_back(chunks[c * chunks.size() / n]);
        texts.push_back(spread);
        reference.push_back(logits_of(model, source.as_f16(), spread));
    }
    fmt::print("type,variant,seconds");
    for (int i = 5; i < argc; i++) fmt::print(",kl {}", std::filesystem::path(argv[i]).filename().string());
    fmt::print("\n");
    std::fflush(stdout);
    for (const std::string& name : split(argv[4], ' ')) {
        const Variant variant = parse(name);
        const auto began = std::chrono::steady_clock::now();
        const Rounded rounded = round_all(source, type, variant, calibration);
        fmt::print("{},\"{}\",{:.1f}", argv[2], name,
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
        // Run in half precision, decoded: what rounding the weights costs, without the kernels' rounding of
        // activations.
        const Weights plain = source.as_f16();
        const Weights weights = {
            [&](const Tensor& t) { return rounded.contains(t.name) ? GGML_TYPE_F16 : plain.type(t); },
            [&](const Tensor& t, std::vector<std::byte>& scratch) -> std::span<const std::byte> {
                const auto found = rounded.find(t.name);
                if (found == rounded.end()) return plain.bytes(t, scratch);
                return scratch = half_precision(type, found->second, t);
            }};
        for (size_t i = 0; i < texts.size(); i++) {
            const std::vector<std::vector<float>> logits = logits_of(model, weights, texts[i]);
            double sum = 0, n = 0;
            for (size_t c = 0; c < logits.size(); c++)
                for (const double kl : kl_per_position(reference[i][c], logits[c], model.n_vocab, 0)) sum += kl, n++;
            fmt::print(",{:.5f}", sum / n);
        }
        fmt::print("\n");
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const Error& e) {
        fmt::print(stderr, "rounding: {}\n", e.what());
        return 2;
    }
}
