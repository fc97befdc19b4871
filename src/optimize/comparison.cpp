#include "optimize/comparison.h"

#include "ech0/error.h"
#include "ech0/session.h"
#include "machine/budget.h"
#include "runtime/conversation.h"

namespace ech0 {
namespace {

std::string answer_of(const Model& model, const std::string& prompt, int64_t n_tokens, int n_threads) {
    SessionOptions options;
    options.n_threads = n_threads;
    options.n_outputs = 1;
    options.mapped = !fits_memory(model);
    Session session(model, options);
    ConversationOptions talk;
    talk.n_predict = n_tokens;
    talk.sampler.temp = 0;
    const Answer answer = Conversation(session, talk).ask(prompt);
    if (answer.stop == Stop::interrupted) throw Interrupted();
    return answer.stop == Stop::end_of_turn ? answer.text : answer.text + " …";
}

}  // namespace

Comparison compare_answers(const Model& original, const Model& candidate, const std::string& prompt, int64_t n_tokens,
                           int n_threads) {
    return {prompt, answer_of(original, prompt, n_tokens, n_threads),
            answer_of(candidate, prompt, n_tokens, n_threads)};
}

}  // namespace ech0
