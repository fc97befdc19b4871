#include "calibrate/self_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "ech0/session.h"
#include "runtime/sampler.h"

namespace ech0 {
namespace {

constexpr int64_t tokens_per_piece = 512;

/// One sample from the model's own distribution, from the beginning of a text to its end or `most` tokens.
std::string write_piece(Session& session, Sampler& sampler, int64_t most, const std::function<void()>& on_token) {
    session.truncate(0);
    std::string text;
    // A model without BOS begins after a line break, as any text may.
    std::vector<int32_t> next = session.adds_bos() && session.bos() >= 0 ? std::vector<int32_t>{session.bos()}
                                                                         : session.tokenize("\n", false, false);
    for (int64_t i = 0; i < most; i++) {
        const std::span<const float> logits = session.decode(next, static_cast<int64_t>(next.size()) - 1);
        const int32_t token = sampler.sample(logits);
        on_token();
        if (session.is_end(token)) break;
        text += session.piece(token);
        next = {token};
    }
    return text;
}

std::string write_text(const Model& model, const SelfTextOptions& options, const Progress& progress) {
    Session session(model, {tokens_per_piece + 8, tokens_per_piece, options.n_threads});
    SamplerOptions plain;
    plain.temp = 1;
    plain.top_k = 0;
    plain.top_p = 1;
    plain.min_p = 0;
    plain.seed = static_cast<int64_t>(options.seed);
    Sampler sampler(plain, session.n_vocab());
    std::string text;
    for (int64_t done = 0; done < options.n_tokens;) {
        const int64_t before = done;
        text += write_piece(session, sampler, std::min(tokens_per_piece, options.n_tokens - done), [&] {
            if (progress)
                progress("the model writes", ++done, options.n_tokens);
            else
                ++done;
        });
        text += "\n\n";
        if (done == before) break;
    }
    return text;
}

}  // namespace

CalibrationText with_self_text(const Model& model, const std::string& source_sha256, CalibrationText text,
                               const SelfTextOptions& options, const Progress& progress) {
    const auto folder = cache_folder() / "self";
    std::filesystem::create_directories(folder);
    const auto file = folder / fmt::format("{}-{}-{}.txt", source_sha256.substr(0, 16), options.n_tokens, options.seed);
    if (!std::filesystem::exists(file)) write_file(file, write_text(model, options, progress));
    text.text += "\n\n" + read_file(file);
    text.name += fmt::format(" + {} tokens of the model's own", options.n_tokens);
    text.sha256 = sha256(text.text);
    return text;
}

}  // namespace ech0
