#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// Cuts an answer that comes in pieces into sentences, as soon as each is certain, so that a voice can begin with the
/// first while the rest is being written. Lines end sentences too (items of a list, headings); code blocks between
/// fences (``` or ~~~) are left out. Markdown's other marks stay (see spoken.h).
class SentenceSplitter {
public:
    /// @param eager  the first piece may end at a comma or colon, or before a word as "and" or "is", once it is
    /// long enough to be worth speaking
    explicit SentenceSplitter(bool eager = true) : eager_(eager) {}

    std::vector<std::string> push(std::string_view text);
    std::vector<std::string> finish();

private:
    void take_lines(std::vector<std::string>& sentences, bool at_end);
    size_t next_cut(bool at_end) const;
    bool ends_sentence(size_t at, bool at_end) const;
    void take(std::vector<std::string>& sentences, size_t n);

    std::string rest_;
    std::string fence_;        // the mark of the code block that we are in
    bool line_begins_ = true;  // rest_ is the beginning of a line
    bool eager_ = true;
};

}  // namespace ech0
