#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "ech0/error.h"

// Columns of a table that have one value in all rows (heads that are never used, scales that are 0) are told once and
// left out of what is coded: a bit each, whether it is one, and then the values of those.
namespace ech0 {

struct Columns {
    std::string head;              ///< the bits, and the constants as they lie in memory
    std::vector<int64_t> varying;  ///< the others, in order
};

/// @param rows  [n_rows, n_columns], at least one row
template <class Number>
Columns find_columns(std::span<const Number> rows, size_t n_columns) {
    Columns columns;
    std::string mask((n_columns + 7) / 8, '\0'), constants;
    for (size_t c = 0; c < n_columns; c++) {
        size_t i = c;
        while (i < rows.size() && rows[i] == rows[c]) i += n_columns;
        if (i < rows.size()) {
            columns.varying.push_back(static_cast<int64_t>(c));
            continue;
        }
        mask[c / 8] = static_cast<char>(mask[c / 8] | 1 << (c % 8));
        constants.append(reinterpret_cast<const char*>(&rows[c]), sizeof(Number));
    }
    columns.head = mask + constants;
    return columns;
}

/// Takes the head off what is packed and fills the constant columns. @return the others
/// @param what  that is packed, for errors
/// @throws FormatError if it is cut off
template <class Number>
std::vector<int64_t> read_columns(std::string_view& packed, std::span<Number> rows, size_t n_columns,
                                  std::string_view what) {
    std::vector<int64_t> varying;
    const size_t mask_bytes = (n_columns + 7) / 8;
    if (packed.size() < mask_bytes) throw FormatError(fmt::format("{}: their mask of columns is cut off", what));
    const std::string_view mask = packed.substr(0, mask_bytes);
    packed.remove_prefix(mask_bytes);
    for (size_t c = 0; c < n_columns; c++) {
        if ((mask[c / 8] >> (c % 8) & 1) == 0) {
            varying.push_back(static_cast<int64_t>(c));
            continue;
        }
        if (packed.size() < sizeof(Number))
            throw FormatError(fmt::format("{}: their constant columns are cut off", what));
        Number value;
        std::memcpy(&value, packed.data(), sizeof(Number));
        packed.remove_prefix(sizeof(Number));
        for (size_t i = c; i < rows.size(); i += n_columns) rows[i] = value;
    }
    return varying;
}

}  // namespace ech0
