#include "verify/evaluation_text.h"

#include <embedded/evaluation_text.h>
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "base/sha256.h"
#include "ech0/error.h"

namespace ech0 {

EvaluationText load_evaluation_text(const std::filesystem::path& file) {
    EvaluationText text;
    text.name = file.empty() ? "embedded" : file.string();
    text.content = file.empty() ? std::string(embedded::evaluation_text()) : read_file(file);
    if (text.content.empty()) throw UsageError(text.name + ": the text is empty");
    text.sha256 = sha256(text.content);
    return text;
}

Chunks evaluation_chunks(const Session& session, const EvaluationText& text, int64_t n_ctx, int64_t n_chunks) {
    std::string_view content = text.content;
    if (content.ends_with('\n')) content.remove_suffix(1);
    const std::vector<int32_t> tokens = session.tokenize(content, true, false);
    const auto n_tokens = static_cast<int64_t>(tokens.size());
    if (n_tokens < n_ctx) {
        throw UsageError(
            fmt::format("text {}: {} tokens, wanted at least one chunk of {}; use a longer --text or a smaller --ctx",
                        text.name, n_tokens, n_ctx));
    }
    const int64_t n_whole = n_tokens / n_ctx;
    Chunks chunks(n_chunks > 0 ? std::min(n_chunks, n_whole) : n_whole);
    for (size_t c = 0; c < chunks.size(); ++c) {
        const auto begin = tokens.begin() + static_cast<int64_t>(c) * n_ctx;
        chunks[c].assign(begin, begin + n_ctx);
        if (session.adds_bos()) chunks[c].front() = session.bos();
    }
    return chunks;
}

}  // namespace ech0
