#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ech0 {

/// One table of a TOML file, read strictly: every key is asked for in its type, and `done` refuses those that nobody
/// asked for, so that a misspelt key is an error and not a default.
class TomlTable {
public:
    /// Where each key stands, line and column from 1, by its path ("chat/ctx", "machine/0/cores").
    using Positions = std::map<std::string, std::pair<int64_t, int64_t>, std::less<>>;

    /// @param path  of the table itself in the document, empty or ending in '/'
    TomlTable(const nlohmann::json& table, std::string where, const Positions& positions, std::string path = "");
    ~TomlTable();

    // Required: a missing key or one of another type is a FormatError that names it.
    std::string text(std::string_view key);
    int64_t integer(std::string_view key, int64_t least = 0);
    double number(std::string_view key, double least = 0);

    // Optional.
    std::string text_or(std::string_view key, std::string otherwise);
    int64_t integer_or(std::string_view key, int64_t otherwise, int64_t least = 0);
    double number_or(std::string_view key, double otherwise, double least = 0);
    bool flag_or(std::string_view key, bool otherwise);
    std::vector<std::string> texts(std::string_view key);  ///< an array of strings; none if the key is missing
    std::vector<TomlTable> tables(std::string_view key);   ///< an array of tables; none if the key is missing
    std::optional<TomlTable> table(std::string_view key);  ///< a table; nothing if the key is missing
    bool has(std::string_view key) const;

    /// @throws FormatError naming the first key that was not read
    void done() const;

    /// Say of this table that a value is not what it should be: "where: line 3, column 1: key 'k' is V, wanted W".
    [[noreturn]] void refuse(std::string_view key, std::string_view wanted) const;

private:
    const nlohmann::json* find(std::string_view key);
    std::string place_of(std::string_view key) const;

    const nlohmann::json* table_;  // of the document, which outlives us
    const Positions* positions_;   // likewise
    std::string where_, path_;
    std::set<std::string, std::less<>> read_;
};

/// A TOML document, kept while its tables are read.
class TomlDocument {
public:
    /// @param name  for errors: the file
    /// @throws FormatError with line and column if it is no TOML
    TomlDocument(std::string_view text, std::string name);
    ~TomlDocument();
    TomlTable root() const;

private:
    std::unique_ptr<nlohmann::json> json_;
    TomlTable::Positions positions_;
    std::string name_;
};

/// A TOML text with one key set, and all else as it was: comments, order, spacing.
/// @param table  the name of its table; "" = the keys before the first one
/// @param value  a text, a number or a flag
/// @param name   for errors: the file
/// @throws FormatError if the text is no TOML, or the table is written in one line
std::string with_toml_key(std::string_view text, std::string_view table, std::string_view key,
                          const nlohmann::json& value, const std::string& name);

}  // namespace ech0
