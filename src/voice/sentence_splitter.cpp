#include "voice/sentence_splitter.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ech0 {
namespace {

// A voice that waited for more than this would be silent for long.
constexpr size_t longest_sentence = 400;
// Letters of a first piece before a comma, and before a word that begins a phrase; below it the voice sounds chopped.
constexpr size_t shortest_to_comma = 12, shortest_to_phrase = 24;

constexpr std::array<std::string_view, 25> abbreviations = {
    "mr",  "mrs", "ms",   "dr",  "prof", "st",  "vs",  "etc", "jr", "sr",  "fig", "approx", "inc",
    "ltd", "co",  "dept", "gen", "capt", "e.g", "i.e", "cf",  "al", "u.s", "a.m", "p.m"};

// Words before which one may breathe.
constexpr std::array<std::string_view, 32> phrase_words = {
    "after", "although", "and",   "are", "as",   "at",   "because", "before", "but",   "by",  "during",
    "for",   "from",     "if",    "in",  "into", "is",   "on",      "or",     "since", "so",  "that",
    "then",  "through",  "until", "was", "were", "when", "where",   "which",  "while", "with"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Quotes, brackets and emphasis that close behind a full stop.
size_t skip_closers(std::string_view text, size_t at) {
    static constexpr std::array<std::string_view, 9> closers = {"\"", "'", ")", "]", "*", "_", "`", "\u201D", "\u2019"};
    for (bool found = true; found;) {
        found = false;
        for (const std::string_view closer : closers) {
            if (!text.substr(at).starts_with(closer)) continue;
            at += closer.size();
            found = true;
        }
    }
    return at;
}

// The word that ends before `at`.
std::string_view word_before(std::string_view text, size_t at) {
    size_t begin = at;
    while (begin > 0 && !is_space(text[begin - 1]) && text[begin - 1] != '(' && text[begin - 1] != '"') begin--;
    return text.substr(begin, at - begin);
}

bool is_abbreviation(std::string_view word) {
    if (word.size() == 1 && is_upper(word[0])) return word[0] != 'I';  // an initial
    std::string lower(word);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::find(abbreviations.begin(), abbreviations.end(), lower) != abbreviations.end();
}

// "1." at the beginning of a line numbers an item.
bool numbers_item(std::string_view text, size_t at) {
    const size_t first = text.find_first_not_of(" \t");
    return first < at && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(first),
                                     text.begin() + static_cast<std::ptrdiff_t>(at), is_digit);
}

// Bytes of the mark that ends a sentence at `at`; 0 if there is none.
size_t stop_length(std::string_view text, size_t at) {
    static constexpr std::array<std::string_view, 4> wide = {"\u2026", "\u3002", "\uFF01", "\uFF1F"};  // … 。 ！ ？
    if (text[at] == '.' || text[at] == '!' || text[at] == '?') return 1;
    for (const std::string_view mark : wide)
        if (text.substr(at).starts_with(mark)) return mark.size();
    return 0;
}

// Whether the word behind the blank at `at`, which has come to its end, begins a phrase.
bool begins_phrase(std::string_view text, size_t at) {
    const size_t end = text.find(' ', at + 1);
    if (text[at] != ' ' || end == std::string_view::npos) return false;
    return std::binary_search(phrase_words.begin(), phrase_words.end(), text.substr(at + 1, end - at - 1));
}

std::string fence_of(std::string_view line) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return "";
    for (const std::string_view mark : {"```", "~~~"})
        if (line.substr(first).starts_with(mark)) return std::string(mark);
    return "";
}

}  // namespace

std::vector<std::string> SentenceSplitter::push(std::string_view text) {
    rest_ += text;
    std::vector<std::string> sentences;
    take_lines(sentences, false);
    return sentences;
}

std::vector<std::string> SentenceSplitter::finish() {
    std::vector<std::string> sentences;
    take_lines(sentences, true);
    if (fence_.empty()) take(sentences, rest_.size());
    *this = SentenceSplitter(eager_);
    return sentences;
}

void SentenceSplitter::take_lines(std::vector<std::string>& sentences, bool at_end) {
    for (;;) {
        const size_t line_end = rest_.find('\n');
        const bool whole_line = line_end != std::string::npos || at_end;
        if (line_begins_) {
            // Until the line shows more, it may be a fence.
            const size_t first = rest_.find_first_not_of(" \t");
            const bool may_be_fence = first != std::string::npos && (rest_[first] == '`' || rest_[first] == '~');
            if ((!fence_.empty() || may_be_fence) && !whole_line) return;
            const std::string fence = fence_of(std::string_view(rest_).substr(0, line_end));
            if (!fence_.empty() || !fence.empty()) {
                if (fence_.empty())
                    fence_ = fence;
                else if (fence == fence_)
                    fence_.clear();
                rest_.erase(0, line_end == std::string::npos ? rest_.size() : line_end + 1);
                if (rest_.empty()) return;
                continue;
            }
        }
        const size_t cut = next_cut(at_end);
        if (cut == 0) return;
        const bool line_was_ended = cut > 0 && rest_[cut - 1] == '\n';
        take(sentences, cut);
        line_begins_ = line_was_ended;
    }
}

// How many bytes the next sentence takes; 0 if it isn't there yet.
size_t SentenceSplitter::next_cut(bool at_end) const {
    for (size_t at = 0; at < rest_.size(); at++) {
        if (rest_[at] == '\n') return at + 1;
        if (const size_t stop = stop_length(rest_, at); stop > 0 && ends_sentence(at, at_end))
            return skip_closers(rest_, at + stop);
        const bool pause = rest_[at] == ',' || rest_[at] == ';' || rest_[at] == ':';
        if (eager_ && pause && at >= shortest_to_comma && at + 1 < rest_.size() && is_space(rest_[at + 1]))
            return at + 1;
        if (eager_ && at >= shortest_to_phrase && begins_phrase(rest_, at)) return at + 1;
        if (at >= longest_sentence && is_space(rest_[at])) {
            const size_t comma = rest_.rfind(',', at);
            return comma != std::string::npos && comma > longest_sentence / 2 ? comma + 1 : at + 1;
        }
    }
    return 0;
}

// A full stop at `at` ends a sentence if what follows shows that: a blank, and then no small letter.
bool SentenceSplitter::ends_sentence(size_t at, bool at_end) const {
    const std::string_view text = rest_;
    const size_t stop = stop_length(text, at);
    const size_t behind = skip_closers(text, at + stop);
    if (behind >= text.size()) return at_end;
    if (stop > 1 && text[at] != '\xE2') return true;  // 。！？ need no blank
    if (stop_length(text, behind) > 0 || !is_space(text[behind])) return false;
    const size_t next = text.find_first_not_of(" \t", behind);
    if (text[at] != '.' && text[at] != '\xE2') return true;
    if (is_abbreviation(word_before(text, at)) || (line_begins_ && numbers_item(text, at))) return false;
    if (next == std::string_view::npos) return at_end;
    return !is_lower(text[next]);
}

void SentenceSplitter::take(std::vector<std::string>& sentences, size_t n) {
    std::string sentence = rest_.substr(0, n);
    rest_.erase(0, n);
    const size_t first = sentence.find_first_not_of(" \t\r\n"), last = sentence.find_last_not_of(" \t\r\n");
    if (first == std::string::npos) return;
    sentences.push_back(sentence.substr(first, last - first + 1));
    eager_ = false;  // only the first is waited for
}

}  // namespace ech0
