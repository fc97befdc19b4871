#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/look.h"

namespace ech0 {

/// Text in columns for a terminal. Widths count characters, not bytes.
class Table {
public:
    enum class Align { left, right };
    struct Column {
        std::string title;
        Align align = Align::left;
    };

    /// How a row stands out, where there is colour.
    enum class Tone { plain, strong, faint };

    explicit Table(std::vector<Column> columns);
    void add(std::vector<std::string> cells, Tone tone = Tone::plain);  ///< as many as there are columns
    void rule();                                                        ///< a line across, as before a sum
    std::string text() const;
    /// The same in colour, or as Markdown; columns that the terminal is too narrow for follow below, beside the first
    /// one again (the first two, if the first is a mark without a title).
    std::string text(const Look& look) const;
    size_t width() const;          ///< of its lines, in one piece
    std::string markdown() const;  ///< as GitHub reads it; rules are left out

private:
    using Band = std::vector<size_t>;  // columns that stand beside each other
    std::string line(const std::vector<std::string>& cells, const std::vector<size_t>& widths, const Band& band) const;
    std::vector<size_t> widths() const;
    std::vector<Band> bands(const std::vector<size_t>& widths, size_t most) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
    std::vector<Tone> tones_;                     // of each row
};

/// Characters of UTF-8 text (code points; wide and combining ones count one).
size_t text_width(std::string_view text);

}  // namespace ech0
