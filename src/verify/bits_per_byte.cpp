#include "verify/bits_per_byte.h"

#include <cmath>
#include <numbers>

#include "base/interrupt.h"
#include "ech0/session.h"
#include "machine/budget.h"
#include "runtime/divergence.h"

namespace ech0 {

BitsPerByte measure_bits_per_byte(const Model& model, const EvaluationText& text, int64_t n_ctx, int64_t n_chunks,
                                  int n_threads) {
    const std::vector<const Model*> all = {&model};
    Session session(model, {.n_ctx = n_ctx, .n_batch = n_ctx, .n_threads = n_threads, .mapped = !fits_memory(all)});
    double nats = 0;
    BitsPerByte result;
    for (const std::vector<int32_t>& chunk : evaluation_chunks(session, text, n_ctx, n_chunks)) {
        check_interrupt();
        session.truncate(0);
        const auto first = static_cast<size_t>(n_ctx / 2);
        const std::span<const float> logits = session.decode(chunk, static_cast<int64_t>(first));
        const auto n_vocab = static_cast<size_t>(session.n_vocab());
        for (size_t at = first; at + 1 < chunk.size(); at++) {
            nats -= log_softmax(logits.subspan((at - first) * n_vocab, n_vocab), chunk[at + 1]);
            result.n_bytes += static_cast<int64_t>(session.piece(chunk[at + 1]).size());
        }
    }
    result.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(result.n_bytes);
    return result;
}

}  // namespace ech0
