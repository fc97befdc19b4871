#include "report/table.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>

namespace ech0 {

size_t text_width(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

namespace {

/// A line, without its end, between the terminal's codes for bold or faint.
std::string toned(const std::string& line, Table::Tone tone) {
    if (tone == Table::Tone::plain) return line;
    return (tone == Table::Tone::strong ? "\x1b[1m" : "\x1b[2m") + line.substr(0, line.size() - 1) + "\x1b[0m\n";
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells, Tone tone) {
    assert(cells.size() == columns_.size());
    rows_.push_back(std::move(cells));
    tones_.push_back(tone);
}

void Table::rule() {
    rows_.emplace_back();
    tones_.push_back(Tone::plain);
}

std::vector<size_t> Table::widths() const {
    std::vector<size_t> widths;
    for (const Column& column : columns_) widths.push_back(text_width(column.title));
    for (const std::vector<std::string>& row : rows_) {
        for (size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], text_width(row[i]));
    }
    return widths;
}

std::vector<Table::Band> Table::bands(const std::vector<size_t>& widths, size_t most) const {
    const size_t n_keys = std::min(columns_.size(), columns_.front().title.empty() ? size_t{2} : size_t{1});
    Band keys;
    for (size_t i = 0; i < n_keys; i++) keys.push_back(i);
    size_t key_width = 0;
    for (const size_t i : keys) key_width += widths[i] + 2;
    std::vector<Band> bands = {keys};
    size_t across = key_width;  // with two blanks behind the last column
    for (size_t i = n_keys; i < columns_.size(); i++) {
        if (bands.back().size() > n_keys && across + widths[i] > most) {
            bands.push_back(keys);
            across = key_width;
        }
        bands.back().push_back(i);
        across += widths[i] + 2;
    }
    return bands;
}

std::string Table::line(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                        const Band& band) const {
    std::string out;
    for (const size_t i : band) {
        const std::string blank(widths[i] - text_width(cells[i]), ' ');
        if (i != band.front()) out += "  ";
        out += columns_[i].align == Align::right ? blank + cells[i] : cells[i] + blank;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
}

size_t Table::width() const {
    size_t across = 2 * (columns_.size() - 1);
    for (const size_t one : widths()) across += one;
    return across;
}

std::string Table::text() const { return text(Look{}); }

std::string Table::text(const Look& look) const {
    if (look.markdown) return markdown();
    const std::vector<size_t> width = widths();
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    std::string out;
    for (const Band& band : bands(width, look.columns > 0 ? static_cast<size_t>(look.columns) : SIZE_MAX)) {
        size_t across = 2 * (band.size() - 1);
        for (const size_t i : band) across += width[i];
        if (!out.empty()) out += "\n";
        out += line(titles, width, band);
        for (size_t i = 0; i < rows_.size(); i++) {
            const std::string row = rows_[i].empty() ? std::string(across, '-') + "\n" : line(rows_[i], width, band);
            out += look.colour ? toned(row, tones_[i]) : row;
        }
    }
    return out;
}

std::string Table::markdown() const {
    const auto row_of = [](const std::vector<std::string>& cells) {
        std::string row = "|";
        for (std::string cell : cells) {
            for (size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) cell.replace(at, 1, "\\|");
            row += " " + cell + " |";
        }
        return row + "\n";
    };
    std::vector<std::string> titles, rules;
    for (const Column& column : columns_) {
        titles.push_back(column.title);
        rules.emplace_back(column.align == Align::right ? "---:" : "---");
    }
    std::string out = row_of(titles) + row_of(rules);
    for (const std::vector<std::string>& row : rows_)
        if (!row.empty()) out += row_of(row);
    return out;
}

}  // namespace ech0
