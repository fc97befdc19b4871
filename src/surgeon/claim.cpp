#include "surgeon/claim.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <regex>
#include <set>

namespace ech0 {
namespace {

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

/// A word, a number or a percent sign of running text.
struct Token {
    std::string text;
    size_t begin = 0, end = 0;
    bool is_number = false;
};

std::vector<Token> tokens_of(const std::string& words) {
    // A name takes its digits with it.
    static const std::regex token(
        R"(%|[A-Za-z_][A-Za-z0-9_]*|[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?)");
    std::vector<Token> tokens;
    for (std::sregex_iterator at(words.begin(), words.end(), token), end; at != end; ++at) {
        const auto begin = static_cast<size_t>(at->position());
        Token t{at->str(), begin, begin + at->str().size(), false};
        t.is_number = std::isdigit(static_cast<unsigned char>(t.text.front())) != 0;
        if (t.is_number) std::erase(t.text, ',');
        tokens.push_back(std::move(t));
    }
    return tokens;
}

/// In lower case, without the s of a plural; "percent" is %.
std::string stem(std::string word) {
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (word == "percent") return "%";
    if (word.size() > 2 && word.ends_with('s')) word.pop_back();
    return word;
}

/// What a fact is about: its words up to " in ", without those that say nothing.
std::set<std::string> subject_of(const Fact& fact) {
    static const std::set<std::string> empty_words = {"of", "the", "a", "and", "it", "thi", "for", "i", "ha", "that"};
    std::set<std::string> stems;
    for (const Token& t : tokens_of(fact.says.substr(0, fact.says.find(" in "))))
        if (!t.is_number && !empty_words.contains(stem(t.text))) stems.insert(stem(t.text));
    return stems;
}

/// Does a word of the fact stand within two before or three behind, with no other number between?
bool stands_beside(const Fact& fact, const std::vector<Token>& tokens, size_t number) {
    const std::set<std::string> subject = subject_of(fact);
    const auto about = [&](size_t i) { return subject.contains(stem(tokens[i].text)); };
    for (size_t i = number; i > 0 && i + 2 > number && !tokens[i - 1].is_number; i--)
        if (about(i - 1)) return true;
    for (size_t i = number + 1; i < tokens.size() && i <= number + 3 && !tokens[i].is_number; i++)
        if (about(i)) return true;
    return false;
}

/// Digits without the zeros around them: 30 has one, 0.384 three.
size_t own_digits(std::string number) {
    number.erase(std::min(number.find_first_of("eE"), number.size()));
    std::erase(number, '.');
    const size_t first = number.find_first_not_of('0');
    return first == std::string::npos ? 0 : number.find_last_not_of('0') - first + 1;
}

/// Does the fact speak of this number, with the same word behind it?
bool speaks_of(const Fact& fact, const std::vector<Token>& tokens, size_t number) {
    const auto next = [](const std::vector<Token>& all, size_t i) {
        return i + 1 < all.size() ? stem(all[i + 1].text) : std::string();
    };
    const std::vector<Token> says = tokens_of(fact.says);
    for (size_t i = 0; i < says.size(); i++)
        if (says[i].text == tokens[number].text && next(says, i) == next(tokens, number)) return true;
    return false;
}

Claim claim_of(const Brief& brief, const std::vector<Token>& tokens, size_t number) {
    const std::string& text = tokens[number].text;
    for (const Fact& f : brief.facts)
        if (is(f.value, text) && stands_beside(f, tokens, number)) return {f.name, text, Finding::confirmed};
    for (const Fact& f : brief.facts)
        if (is(f.value, text) && own_digits(text) >= 3) return {f.name, text, Finding::confirmed};
    for (const Fact& f : brief.facts)
        if (speaks_of(f, tokens, number)) return {f.name, text, Finding::confirmed};
    return {"", text, Finding::unsupported};
}

/// Does what stands between a fact's name and a number make it that fact's number? " = ", " is ", " (", ": ", " of ".
bool says_is(const std::string& between) {
    static const std::regex link(R"(\s*(=|:|\(|is|of|was|at|to|,)?\s*(about|only|around|approximately)?\s*)");
    return std::regex_match(between, link);
}

/// Without the model's name, whose digits are none of its facts.
std::string without_name(std::string words, const std::string& name) {
    for (size_t at = 0; !name.empty() && (at = words.find(name, at)) != std::string::npos;)
        words.erase(at, name.size());
    return words;
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
    const std::string text = without_name(words, brief.model);
    const std::vector<Token> tokens = tokens_of(text);
    std::vector<Claim> claims;
    for (size_t i = 0; i < tokens.size(); i++) {
        if (!tokens[i].is_number) continue;
        const std::string& number = tokens[i].text;
        // The name before it, over a word such as "is" or "about".
        const Fact* named = nullptr;
        for (size_t j = i; j > 0 && j + 3 > i && named == nullptr && !tokens[j - 1].is_number; j--) {
            const Fact* const fact = brief.find(tokens[j - 1].text);
            if (fact != nullptr && says_is(text.substr(tokens[j - 1].end, tokens[i].begin - tokens[j - 1].end)))
                named = fact;
        }
        claims.push_back(named != nullptr ? Claim{named->name, number, check_claim(brief, named->name, number)}
                                          : claim_of(brief, tokens, i));
    }
    return claims;
}

}  // namespace ech0
