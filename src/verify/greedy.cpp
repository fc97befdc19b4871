#include "verify/greedy.h"

#include <algorithm>

#include "runtime/divergence.h"
#include "runtime/sequences.h"

namespace ech0 {

std::vector<Tokens> pick_prompts(const Session& session, std::string_view text, int64_t n_prompts, int64_t n_tokens) {
    const Tokens tokens = session.tokenize(text, false, false);
    const auto n_text = static_cast<int64_t>(tokens.size());
    std::vector<Tokens> prompts;
    for (int64_t p = 0; p < n_prompts; ++p) {
        const int64_t begin = std::max<int64_t>(0, n_text - n_tokens) * p / n_prompts;
        Tokens prompt(tokens.begin() + begin, tokens.begin() + std::min(n_text, begin + n_tokens));
        if (session.adds_bos()) prompt.insert(prompt.begin(), session.bos());
        prompts.push_back(std::move(prompt));
    }
    return prompts;
}

std::vector<Tokens> continue_greedily(Session& session, const std::vector<Tokens>& prompts, int64_t n_tokens,
                                      int n_threads, const std::function<void(int64_t step)>& each_step) {
    const auto n_prompts = static_cast<int64_t>(prompts.size());
    size_t longest = 0;
    for (const Tokens& prompt : prompts) longest = std::max(longest, prompt.size());
    Sequences sequences(session, n_prompts, static_cast<int64_t>(longest) + n_tokens, n_threads);

    std::vector<Tokens> continuations(prompts.size()), next = prompts;
    for (int64_t step = 0; step < n_tokens; ++step) {
        if (each_step) each_step(step);
        const std::span<const float> logits = sequences.decode(next);
        for (size_t p = 0; p < prompts.size(); ++p) {
            const int32_t token = top1(logits.subspan(p * session.n_vocab(), session.n_vocab()));
            Tokens& continuation = continuations[p];
            if (continuation.empty() || !session.is_end(continuation.back())) continuation.push_back(token);
            next[p].assign(1, token);  // one that has ended goes on unheard: the batch must stay as wide
        }
    }
    return continuations;
}

double common_prefix(const Tokens& original, const Tokens& candidate) {
    if (original.empty()) return 1;
    const auto [end, other] = std::mismatch(original.begin(), original.end(), candidate.begin(), candidate.end());
    return static_cast<double>(end - original.begin()) / static_cast<double>(original.size());
}

}  // namespace ech0
