#include "surgeon/opinion.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ech0/error.h"
#include "runtime/conversation.h"
#include "runtime/json_schema.h"

namespace ech0 {
namespace {

using nlohmann::json;

struct Question {
    const char *title, *text;
};

// As the old surgeon asked them.
constexpr Question questions[] = {
    {"architecture", "What is this model's architecture, and where are its weights?"},
    {"targets", "Which parts could be removed with the least harm, and why?"},
    {"plan", "Propose a pruning plan: how much to remove, of what kind."},
    {"feasibility", "Does the model fit this machine's budget, and is pruning feasible?"},
    {"recommendation", "What do you recommend: prune, quantize, both, or neither?"},
};

// Bytes; the grammar ends an answer there, in the middle of a word if need be.
constexpr size_t longest_answer = 600;

// Room for an answer of the longest words and all claims.
constexpr int64_t most_tokens = 400;

std::string schema_of(const Brief& brief) {
    json names = json::array();
    for (const Fact& f : brief.facts) names.push_back(f.name);
    const json claim = {{"type", "object"},
                        {"properties", {{"fact", {{"enum", names}}}, {"number", {{"type", "number"}}}}},
                        {"required", {"fact", "number"}},
                        {"additionalProperties", false}};
    return json{{"type", "object"},
                {"properties",
                 {{"answer", {{"type", "string"}, {"maxLength", longest_answer}}},
                  {"claims", {{"type", "array"}, {"items", claim}, {"maxItems", 4}}}}},
                {"required", {"answer", "claims"}},
                {"additionalProperties", false}}
        .dump();
}

void read_answer(const Brief& brief, const std::string& text, Opinion& opinion) {
    const json answer = json::parse(text, nullptr, false);
    if (!answer.is_object() || !answer.contains("answer")) {
        opinion.complete = false;  // the answer's end was not reached
        opinion.answer = text;
        return;
    }
    opinion.answer = answer["answer"].get<std::string>();
    opinion.complete = opinion.answer.size() < longest_answer;
    opinion.claims = check_words(brief, opinion.answer);
    for (const json& claim : answer["claims"]) {
        const std::string fact = claim["fact"].get<std::string>(), number = claim["number"].dump();
        const bool repeated = std::any_of(opinion.claims.begin(), opinion.claims.end(),
                                          [&](const Claim& c) { return c.fact == fact && c.number == number; });
        if (!repeated) opinion.claims.push_back({fact, number, check_claim(brief, fact, number)});
    }
}

}  // namespace

std::vector<Opinion> ask_surgeon(const Model& analyst, const SessionOptions& session_options, const Brief& brief,
                                 const std::function<void(const std::string& title)>& on_question) {
    Session session(analyst, session_options);
    ConversationOptions options;
    options.n_predict = most_tokens;
    options.sampler.temp = 0;  // the same opinion every time
    options.sampler.grammar = grammar_of_schema(schema_of(brief));
    options.system =
        "You are a surgeon for language models. Answer in two or three sentences from these facts alone, and name the "
        "facts you rely on with their numbers.\n" +
        brief_text(brief);
    Conversation conversation(session, options);
    std::vector<Opinion> opinions;
    for (const Question& question : questions) {
        if (on_question) on_question(question.title);
        const Answer answer = conversation.ask(question.text);
        if (answer.stop == Stop::interrupted) throw Interrupted();
        Opinion opinion{question.text, question.title, "", {}, true};
        read_answer(brief, answer.text, opinion);
        opinions.push_back(std::move(opinion));
        conversation.take_back();  // each question for itself, behind the same brief
    }
    return opinions;
}

}  // namespace ech0
