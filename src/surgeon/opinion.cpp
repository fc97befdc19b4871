#include "surgeon/opinion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
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
                 {{"answer", {{"type", "string"}, {"maxLength", 600}}},
                  {"claims", {{"type", "array"}, {"items", claim}, {"maxItems", 4}}}}},
                {"required", {"answer", "claims"}},
                {"additionalProperties", false}}
        .dump();
}

/// Half a unit of the last digit that was written.
double tolerance_of(const std::string& number) {
    const size_t end = std::min(number.find_first_of("eE"), number.size()), point = number.find('.');
    const int power = end < number.size() ? std::atoi(number.c_str() + end + 1) : 0;
    const auto decimals = point == std::string::npos ? 0 : static_cast<int>(end - point - 1);
    return 0.5 * std::pow(10.0, power - decimals) * (1 + 1e-9);
}

/// As it stands, or in thousands, millions, billions if it has two digits at least: "2" is not 1536 in thousands.
bool is(double value, const std::string& number) {
    const double said = std::strtod(number.c_str(), nullptr);
    const auto matches = [&](double scaled) { return std::abs(scaled - said) <= tolerance_of(number); };
    if (said == 0 || value == 0) return said == value;
    const bool two_digits = said >= 10 || number.find_first_of("123456789") + 1 < number.size();
    return matches(value) || (two_digits && (matches(value * 1e-3) || matches(value * 1e-6) || matches(value * 1e-9)));
}

void read_answer(const Brief& brief, const std::string& text, Opinion& opinion) {
    const json answer = json::parse(text, nullptr, false);
    if (!answer.is_object() || !answer.contains("answer")) {
        opinion.complete = false;  // the answer's end was not reached
        opinion.answer = text;
        return;
    }
    opinion.answer = answer["answer"].get<std::string>();
    opinion.claims = check_words(brief, opinion.answer);
    for (const json& claim : answer["claims"]) {
        const std::string fact = claim["fact"].get<std::string>(), number = claim["number"].dump();
        opinion.claims.push_back({fact, number, check_claim(brief, fact, number)});
    }
}

/// A number without a name: of the first fact that has it, or else that speaks of it ("removing 10 % costs …").
Claim claim_of(const Brief& brief, const std::string& number) {
    for (const Fact& f : brief.facts)
        if (is(f.value, number)) return {f.name, number, Finding::confirmed};
    const std::regex spoken("(^|[^0-9.])" + std::regex_replace(number, std::regex("\\."), "\\.") + "([^0-9.]|\\.?$)");
    for (const Fact& f : brief.facts)
        if (std::regex_search(f.says, spoken)) return {f.name, number, Finding::confirmed};
    return {"", number, Finding::unsupported};
}

/// Does what stands between a fact's name and a number make it that fact's number? " = ", " is ", " (", ": ", " of ".
bool says_is(const std::string& between) {
    static const std::regex link(R"(\s*(=|:|\(|is|of|was|at|to|,)?\s*(about|only|around|approximately)?\s*)");
    return std::regex_match(between, link);
}

}  // namespace

std::string_view finding_name(Finding finding) {
    switch (finding) {
        case Finding::confirmed: return "confirmed";
        case Finding::wrong: return "wrong";
        case Finding::unsupported: break;
    }
    return "unsupported";
}

Finding check_claim(const Brief& brief, const std::string& fact, const std::string& number) {
    const Fact* const known = brief.find(fact);
    if (known == nullptr) return Finding::unsupported;
    return is(known->value, number) ? Finding::confirmed : Finding::wrong;
}

std::vector<Claim> check_words(const Brief& brief, const std::string& words) {
    // A name takes its digits with it: n_head_kv, Q4_K, kl_remove_10_percent are no numbers.
    static const std::regex token(
        R"([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?)");
    std::string rest = words;  // without the model's name, whose digits are none of its facts
    for (size_t at = 0; !brief.model.empty() && (at = rest.find(brief.model, at)) != std::string::npos;)
        rest.erase(at, brief.model.size());
    std::vector<Claim> claims;
    const Fact* named = nullptr;
    size_t named_end = 0;
    for (std::sregex_iterator at(rest.begin(), rest.end(), token), end; at != end; ++at) {
        const auto position = static_cast<size_t>(at->position());
        std::string text = at->str();
        if (std::isdigit(static_cast<unsigned char>(text.front())) == 0) {
            if (const Fact* const fact = brief.find(text)) named = fact, named_end = position + text.size();
            continue;
        }
        std::erase(text, ',');
        const bool of_named = named != nullptr && says_is(rest.substr(named_end, position - named_end));
        claims.push_back(of_named ? Claim{named->name, text, check_claim(brief, named->name, text)}
                                  : claim_of(brief, text));
        named = nullptr;
    }
    return claims;
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
        Opinion opinion{question.text, question.title, "", {}, true};
        read_answer(brief, answer.text, opinion);
        opinions.push_back(std::move(opinion));
        conversation.take_back();  // each question for itself, behind the same brief
    }
    return opinions;
}

}  // namespace ech0
