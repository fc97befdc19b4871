#include "verify/retrieval.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/divergence.h"

namespace ech0 {
namespace {

using Tokens = std::vector<int32_t>;

constexpr std::array depths = {0.1, 0.3, 0.5, 0.7, 0.9};

/// A question with one of the numbers as its answer: the answer begins where the tokens stop to be those of the
/// question.
struct Question {
    Tokens tokens;
    int64_t n_asked = 0;  ///< the rest is the answer
};

struct Answer {
    double log_probability = 0;
    bool likeliest = true;  ///< what the model would say by itself
};

std::string make_name(std::mt19937_64& random) {
    static constexpr std::array syllables = {"ka", "re", "mi",  "tol", "ven", "sa", "dor", "lin",
                                             "pe", "gu", "bra", "nex", "ol",  "zi", "fam", "hu"};
    std::string name;
    for (int word = 0; word < 2; ++word) {
        std::string part;
        for (int s = 0; s < 3; ++s) part += syllables[random() % syllables.size()];
        part[0] = static_cast<char>(part[0] - 'a' + 'A');
        name += (word > 0 ? " " : "") + part;
    }
    return name;
}

Question make_question(const Session& session, const std::string& sentence_begin, const std::string& value) {
    const std::string asked = "\n\n" + sentence_begin;
    const Tokens begin = session.tokenize(asked, false, false);
    Question question;
    question.tokens = session.tokenize(asked + " " + value, false, false);
    const auto differ = std::mismatch(begin.begin(), begin.end(), question.tokens.begin(), question.tokens.end());
    question.n_asked = differ.second - question.tokens.begin();
    return question;
}

/// The first place from `at` on where a sentence or line ends, if there is one near by.
int64_t next_sentence_end(const Session& session, const Tokens& hay, int64_t at) {
    const int64_t last = std::min<int64_t>(at + 40, static_cast<int64_t>(hay.size()));
    for (int64_t i = at; i < last; ++i) {
        const std::string piece = session.piece(hay[i]);
        if (piece.ends_with('.') || piece.find('\n') != std::string::npos) return i + 1;
    }
    return at;
}

/// `n_tokens` of the text from a place that differs with the trial, going round at its end.
Tokens cut_hay(const Tokens& text, int64_t n_tokens, int64_t trial, int64_t n_trials) {
    const auto n_text = static_cast<int64_t>(text.size());
    const int64_t begin = n_text * trial / n_trials;
    Tokens hay(n_tokens);
    for (int64_t i = 0; i < n_tokens; ++i) hay[i] = text[(begin + i) % n_text];
    return hay;
}

/// The text with one fact at each depth. [n_ctx - room for the questions]
Tokens hide_facts(const Session& session, const Tokens& hay, const std::vector<Tokens>& sentences) {
    Tokens context;
    if (session.adds_bos()) context.push_back(session.bos());
    int64_t from = 0;
    for (size_t f = 0; f < sentences.size(); ++f) {
        const int64_t place =
            next_sentence_end(session, hay, static_cast<int64_t>(depths[f] * static_cast<double>(hay.size())));
        context.insert(context.end(), hay.begin() + from, hay.begin() + place);
        context.insert(context.end(), sentences[f].begin(), sentences[f].end());
        from = place;
    }
    context.insert(context.end(), hay.begin() + from, hay.end());
    return context;
}

/// Forget the last question. A memory that can't go back (a recurrent one) reads the context again.
void rewind(Session& session, const Tokens& context) {
    try {
        session.truncate(static_cast<int64_t>(context.size()));
    } catch (const EngineError&) {
        session.truncate(0);
        session.decode(context, static_cast<int64_t>(context.size()));
    }
}

Answer weigh_answer(Session& session, const Question& question) {
    const std::span<const float> logits = session.decode(question.tokens, question.n_asked - 1);
    const int64_t n_vocab = session.n_vocab();
    const auto n_answer = static_cast<int64_t>(question.tokens.size()) - question.n_asked;
    Answer answer;
    for (int64_t i = 0; i < n_answer; ++i) {
        const std::span<const float> here = logits.subspan(i * n_vocab, n_vocab);
        const int32_t token = question.tokens[question.n_asked + i];
        answer.log_probability += log_softmax(here, token);
        answer.likeliest = answer.likeliest && top1(here) == token;
    }
    return answer;
}

/// Ask for one fact, with the numbers of all of them as possible answers.
void ask(Session& session, const Tokens& context, const std::vector<Fact>& facts, size_t wanted, Retrieval& result) {
    std::vector<Answer> answers;
    for (const Fact& fact : facts) {
        check_interrupt();
        answers.push_back(weigh_answer(session, make_question(session, facts[wanted].sentence_begin, fact.value)));
        rewind(session, context);
    }
    const bool preferred = std::none_of(answers.begin(), answers.end(), [&](const Answer& other) {
        return &other != &answers[wanted] && other.log_probability >= answers[wanted].log_probability;
    });
    result.n_trials += 1;
    result.n_hits += answers[wanted].likeliest ? 1 : 0;
    result.n_preferred += preferred ? 1 : 0;
}

/// What of the context the facts take, and at most a question with its answer.
int64_t count_taken(const Session& session, const std::vector<Fact>& facts, const std::vector<Tokens>& sentences) {
    int64_t n_facts = session.adds_bos() ? 1 : 0, longest = 0;
    for (size_t f = 0; f < facts.size(); ++f) {
        n_facts += static_cast<int64_t>(sentences[f].size());
        for (const Fact& other : facts) {
            const Question question = make_question(session, facts[f].sentence_begin, other.value);
            longest = std::max(longest, static_cast<int64_t>(question.tokens.size()));
        }
    }
    return n_facts + longest;
}

void run_trial(Session& session, const Tokens& text, const RetrievalOptions& options, int64_t trial,
               std::vector<Retrieval>& results) {
    const std::vector<Fact> facts = make_facts(options.seed + static_cast<uint64_t>(trial), depths.size());
    std::vector<Tokens> sentences;
    sentences.reserve(facts.size());
    for (const Fact& fact : facts) {
        sentences.push_back(session.tokenize("\n\n" + fact.sentence_begin + " " + fact.value + ".\n\n", false, false));
    }
    const int64_t n_taken = count_taken(session, facts, sentences);
    const int64_t n_hay = options.n_ctx - n_taken;
    if (n_hay < n_taken) {
        throw UsageError(fmt::format(
            "retrieval: a context of {} tokens is too small; the facts and a question take {}, wanted twice as many",
            options.n_ctx, n_taken));
    }
    const Tokens context = hide_facts(session, cut_hay(text, n_hay, trial, options.n_trials), sentences);
    session.truncate(0);
    session.decode(context, static_cast<int64_t>(context.size()));
    if (options.after_reading) options.after_reading(session);
    for (size_t f = 0; f < facts.size(); ++f) ask(session, context, facts, f, results[f]);
}

}  // namespace

std::vector<Fact> make_facts(uint64_t seed, int64_t n_facts) {
    std::mt19937_64 random(seed);  // its sequence is fixed by the standard; the library's distributions are not
    std::vector<Fact> facts;
    for (int64_t f = 0; f < n_facts; ++f) {
        const std::string name = make_name(random);
        facts.push_back({fmt::format("The locker code of {} is", name), fmt::format("{}", 10000 + random() % 90000)});
    }
    return facts;
}

std::vector<Retrieval> measure_retrieval(Session& session, std::string_view text, const RetrievalOptions& options) {
    const Tokens tokens = session.tokenize(text, false, false);
    if (tokens.empty()) throw UsageError("retrieval: the text is empty");
    std::vector<Retrieval> results(depths.size());
    for (size_t d = 0; d < depths.size(); ++d) results[d].depth = depths[d];
    for (int64_t trial = 0; trial < options.n_trials; ++trial) run_trial(session, tokens, options, trial, results);
    return results;
}

}  // namespace ech0
