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
