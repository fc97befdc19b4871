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
