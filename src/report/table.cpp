#include "report/table.h"

#include <algorithm>
#include <cassert>
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

std::string Table::line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) const {
    std::string out;
    for (size_t i = 0; i < cells.size(); i++) {
        const std::string blank(widths[i] - text_width(cells[i]), ' ');
        if (i > 0) out += "  ";
        out += columns_[i].align == Align::right ? blank + cells[i] : cells[i] + blank;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
}

std::string Table::text() const { return text(Look{}); }

std::string Table::text(const Look& look) const {
    if (look.markdown) return markdown();
    const std::vector<size_t> width = widths();
    size_t across = 2 * (width.size() - 1);
    for (const size_t one : width) across += one;

    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    std::string out = line(titles, width);
    for (size_t i = 0; i < rows_.size(); i++) {
        const std::string row = rows_[i].empty() ? std::string(across, '-') + "\n" : line(rows_[i], width);
        out += look.colour ? toned(row, tones_[i]) : row;
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
