#include "report/table.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("a table aligns by characters and ends no line in blanks") {
    Table table({{"name"}, {"bytes", Table::Align::right}, {"note"}});
    table.add({"größe", "7", ""});
    table.rule();
    table.add({"a", "12345", "x"});
    CHECK(table.text() ==
          "name   bytes  note\n"
          "größe      7\n"
          "------------------\n"
          "a      12345  x\n");
}

TEST_CASE("a table without rows is its titles") { CHECK(Table({{"a"}, {"b"}}).text() == "a  b\n"); }

TEST_CASE("a table in Markdown has its alignment, no rules, and cells that can hold a bar") {
    Table table({{"name"}, {"bytes", Table::Align::right}});
    table.add({"a|b", "7"});
    table.rule();
    table.add({"c", "12345"});
    CHECK(table.markdown() ==
          "| name | bytes |\n"
          "| --- | ---: |\n"
          "| a\\|b | 7 |\n"
          "| c | 12345 |\n");
}

TEST_CASE("a table that is wider than the terminal goes on below, beside its first column again") {
    Table table({{""}, {"name"}, {"bytes", Table::Align::right}, {"note"}, {"more"}});
    table.add({"->", "a", "12345", "xx", "yyyy"}, Table::Tone::strong);
    const std::string whole = "    name  bytes  note  more\n->  a     12345  xx    yyyy\n";
    CHECK(table.width() == 27);
    CHECK(table.text({.columns = 27}) == whole);
    CHECK(table.text({.columns = 26}) ==
          "    name  bytes  note\n->  a     12345  xx\n\n    name  more\n->  a     yyyy\n");
    CHECK(table.text({.columns = 3}).find("->  a     12345\n\n") != std::string::npos);  // one column at least
    CHECK(table.text({.colour = true, .columns = 26}).find("\x1b[1m->  a     yyyy\x1b[0m\n") != std::string::npos);
}

TEST_CASE("prose is broken to the terminal's width; tables, commands and files are not") {
    const Look look{.columns = 20};
    CHECK(wrapped("  words that are to be broken\n", look) == "  words that are to\n  be broken\n");
    CHECK(wrapped("https://example.org/a/long/address here", look) == "https://example.org/a/long/address\nhere");
    CHECK(wrapped("a cell that is long  and another\n", look) == "a cell that is long  and another\n");
    CHECK(wrapped("  ech0 compress model.gguf --size 1GB\n", look) == "  ech0 compress model.gguf --size 1GB\n");
    CHECK(wrapped("words that are to be broken\n", {}) == "words that are to be broken\n");
    CHECK(wrapped("größe größe größe größe", look) == "größe größe größe\ngröße");
}
