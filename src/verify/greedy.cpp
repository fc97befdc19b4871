#include "verify/greedy.h"

#include <algorithm>

#include "runtime/divergence.h"

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

Tokens continue_greedily(Session& session, const Tokens& prompt, int64_t n_tokens, const Tokens& follow) {
    session.truncate(0);
    Tokens continuation;
    std::span<const float> logits = session.decode(prompt, static_cast<int64_t>(prompt.size()) - 1);
    while (static_cast<int64_t>(continuation.size()) < n_tokens) {
        const int32_t token = top1(logits);
        const size_t at = continuation.size();
        continuation.push_back(token);
        if (session.is_end(token) || (!follow.empty() && (at >= follow.size() || follow[at] != token))) break;
        logits = session.decode(std::span(&token, 1), 0);
    }
    return continuation;
}

double common_prefix(const Tokens& original, const Tokens& candidate) {
    if (original.empty()) return 1;
    const auto [end, other] = std::mismatch(original.begin(), original.end(), candidate.begin(), candidate.end());
    return static_cast<double>(end - original.begin()) / static_cast<double>(original.size());
}

}  // namespace ech0
