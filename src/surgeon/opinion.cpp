#include "surgeon/opinion.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

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

/// What was said in an answer that broke off: its "answer" as far as it goes, or all of it.
std::string said_in(const std::string& broken) {
    const size_t key = broken.find("\"answer\""), begin = key == std::string::npos ? key : broken.find('"', key + 8);
    if (begin == std::string::npos) return broken;
    size_t end = begin + 1;
    while (end < broken.size() && broken[end] != '"') end += broken[end] == '\\' ? 2 : 1;
    const json said = json::parse(broken.substr(begin, std::min(end, broken.size()) - begin) + '"', nullptr, false);
    return said.is_string() ? said.get<std::string>() : broken.substr(begin + 1);
}

/// The numbers of claims as they were written: how many digits there are says how exactly they are meant.
std::vector<std::string> written_numbers(const std::string& text) {
    static const std::regex number(R"("number"\s*:\s*(-?[0-9.]+([eE][-+]?[0-9]+)?))");
    std::vector<std::string> numbers;
    for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at)
        numbers.push_back((*at)[1].str());
    return numbers;
}

void add_claim(const Brief& brief, const std::string& fact, const std::string& number, Opinion& opinion) {
    const bool repeated = std::any_of(opinion.claims.begin(), opinion.claims.end(),
                                      [&](const Claim& c) { return c.fact == fact && c.number == number; });
    if (!repeated) opinion.claims.push_back({fact, number, check_claim(brief, fact, number)});
}

}  // namespace

Opinion read_opinion(const Brief& brief, const std::string& text) {
    Opinion opinion;
    const json answer = json::parse(text, nullptr, false);
    opinion.complete = answer.is_object() && answer.contains("answer") && answer["answer"].is_string();
    opinion.answer = opinion.complete ? answer["answer"].get<std::string>() : said_in(text);
    opinion.claims = check_words(brief, opinion.answer);
    if (!opinion.complete || !answer.contains("claims")) return opinion;
    opinion.complete = opinion.answer.size() < longest_answer;
    const std::vector<std::string> numbers = written_numbers(text);
    for (size_t i = 0; i < answer["claims"].size(); i++) {
        const json& claim = answer["claims"][i];
        const bool known = numbers.size() == answer["claims"].size();
        add_claim(brief, claim["fact"].get<std::string>(), known ? numbers[i] : claim["number"].dump(), opinion);
    }
    return opinion;
}

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
        opinions.push_back(read_opinion(brief, answer.text));
        opinions.back().question = question.text, opinions.back().title = question.title;
        conversation.take_back();  // each question for itself, behind the same brief
    }
    return opinions;
}

}  // namespace ech0
