#include "verify/file_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/text.h"
#include "ech0/error.h"
#include "runtime/chat_template.h"
#include "runtime/engine.h"
#include "runtime/source.h"
#include "runtime/tokenizer.h"
#include "runtime/walk.h"

namespace ech0 {
namespace {

// Letters, digits, signs, line ends, other scripts: what a tokenizer may stumble over.
constexpr std::string_view sample =
    "The 42 ships sailed at 07:30, said O'Neill.\n\tint x = a[i] * 2; // ok\nÀ bientôt, до свидания, 再见 "
    "🙂";

struct WeightsFound {
    std::atomic<int64_t> done = 0, not_finite = 0, all_zero = 0;
    std::mutex guard;
    std::string first_broken;
};

void look_at(const Source& source, const Tensor& t, WeightsFound& found) {
    std::vector<float> row(static_cast<size_t>(t.n_cols()));
    int64_t not_finite = 0, not_zero = 0;
    for (int64_t r = 0; r < t.n_rows(); r++) {
        if (r % 1024 == 0) check_interrupt();
        source.rows(t, r, 1, row.data());
        for (const float x : row) {
            not_finite += std::isfinite(x) ? 0 : 1;
            not_zero += x != 0 ? 1 : 0;
        }
    }
    source.release(t);
    found.not_finite += not_finite;
    found.all_zero += not_zero == 0 ? 1 : 0;
    const std::lock_guard lock(found.guard);
    if (not_finite > 0 && (found.first_broken.empty() || t.name < found.first_broken)) found.first_broken = t.name;
}

FilePoint weights_point(const Source& source, int n_threads, const Progress& progress) {
    const std::vector<Tensor>& tensors = source.model().tensors;
    const auto n = static_cast<int64_t>(tensors.size());
    WeightsFound found;
    parallel_for(n, n_threads, [&](int64_t i) {
        look_at(source, tensors[static_cast<size_t>(i)], found);
        if (progress) progress("read weights", ++found.done, n);
    });
    if (found.not_finite > 0)
        return {"weights", Soundness::broken,
                fmt::format("{} weights are NaN or infinite, the first in {}", found.not_finite.load(),
                            printable(found.first_broken))};
    const std::string all = fmt::format("{} weights, all of them numbers", source.model().n_params);
    if (found.all_zero > 0)
        return {"weights", Soundness::notable,
                fmt::format("{}; {} tensors are zero throughout", all, found.all_zero.load())};
    return {"weights", Soundness::sound, all};
}

FilePoint tokenizer_point(const Model& model, std::vector<int32_t>& tokens) {
    const Tokenizer tokenizer(model);
    tokens = tokenizer.tokens(sample);
    const bool known = !tokens.empty() && std::all_of(tokens.begin(), tokens.end(),
                                                      [&](int32_t t) { return t >= 0 && t < model.n_vocab; });
    if (!known) return {"tokenizer", Soundness::broken, "makes tokens that the model does not have"};
    const std::string back = tokenizer.text(tokens);
    const std::string_view said = std::string_view(back).substr(back.starts_with(' ') ? 1 : 0);
    const std::string figures = fmt::format("{} bytes are {} tokens", sample.size(), tokens.size());
    if (said == sample) return {"tokenizer", Soundness::sound, figures + ", and back the same bytes"};
    return {"tokenizer", Soundness::notable, figures + ", but back they are other bytes: this tokenizer loses text"};
}

FilePoint template_point(const Model& model) {
    if (model.chat_template.empty())
        return {"template", Soundness::notable, "none: it continues text, and has not learnt to answer by turns"};
    const std::vector<ChatMessage> talk = {{"user", "What is two and two?"}};
    try {
        const std::string prompt = render_chat(model.chat_template, talk, true);
        if (prompt.find(talk[0].content) == std::string::npos)
            return {"template", Soundness::broken, "leaves out what the user says"};
        return {"template", Soundness::sound,
                fmt::format("{} bytes; one turn is {} bytes", model.chat_template.size(), prompt.size())};
    } catch (const Error& e) {
        return {"template", Soundness::notable, printable(e.what(), 300)};
    }
}

FilePoint engine_point(const Source& source, std::vector<int32_t> tokens, int n_threads) {
    if (tokens.empty()) tokens = {0};
    int64_t n = 0, not_finite = 0;
    Walk walk{{static_cast<int64_t>(std::max<size_t>(tokens.size(), 32)), n_threads}, nullptr, {}, "run", {}};
    walk.on_logits = [&](int64_t, std::span<const float> logits) {
        n += static_cast<int64_t>(logits.size());
        for (const float x : logits) not_finite += std::isfinite(x) ? 0 : 1;
    };
    walk_model(source.model(), source.as_stored(), {tokens}, walk);
    if (not_finite > 0)
        return {"engine", Soundness::broken, fmt::format("{} of {} logits are NaN or infinite", not_finite, n)};
    return {"engine", Soundness::sound, fmt::format("runs {} tokens, all logits are numbers", tokens.size())};
}

/// What a check finds; or that it could not go on.
template <typename Check>
FilePoint point_of(const char* what, const Check& check) {
    try {
        return check();
    } catch (const Interrupted&) {
        throw;
    } catch (const FileError&) {
        throw;
    } catch (const Error& e) {
        return {what, Soundness::broken, printable(e.what(), 300)};
    }
}

}  // namespace

std::vector<FilePoint> check_file(const Model& model, int n_threads, const Progress& progress) {
    model.require_weights();
    start_engine();
    const Source source(model);
    const int threads = n_threads > 0 ? n_threads : default_threads();
    std::vector<int32_t> tokens;
    std::vector<FilePoint> points = {
        {"index", Soundness::sound,
         fmt::format("{} keys, {} tensors: lengths, offsets, types and shapes as {} has them", model.metadata.size(),
                     model.tensors.size(), printable(model.architecture))}};
    points.push_back(point_of("weights", [&] { return weights_point(source, threads, progress); }));
    points.push_back(point_of("tokenizer", [&] { return tokenizer_point(model, tokens); }));
    points.push_back(point_of("template", [&] { return template_point(model); }));
    points.push_back(point_of("engine", [&] { return engine_point(source, tokens, threads); }));
    return points;
}

Soundness soundness_of(const std::vector<FilePoint>& points) {
    Soundness worst = Soundness::sound;
    for (const FilePoint& p : points) worst = std::max(worst, p.soundness);
    return worst;
}

}  // namespace ech0
