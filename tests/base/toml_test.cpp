#include "base/toml.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

TEST_CASE("a TOML table gives its values in their types, and its tables in order") {
    const TomlDocument document(
        "title = 'x'\n[[thing]]\nname = 'a'\nn = 3\nx = 1e-6\nlist = ['p', 'q']\nyes = true\n"
        "[[thing]]\nname = 'b'\n",
        "t.toml");
    TomlTable root = document.root();
    CHECK(root.text("title") == "x");
    std::vector<TomlTable> things = root.tables("thing");
    root.done();
    REQUIRE(things.size() == 2);
    CHECK(things[0].text("name") == "a");
    CHECK(things[0].integer("n") == 3);
    CHECK(things[0].number("x") == 1e-6);
    CHECK(things[0].number("n") == 3.0);
    CHECK(things[0].texts("list") == std::vector<std::string>{"p", "q"});
    CHECK(things[0].flag_or("yes", false));
    CHECK_FALSE(things[0].flag_or("no", false));
    CHECK(things[0].integer_or("m", 7) == 7);
    CHECK(things[0].text_or("t", "else") == "else");
    CHECK(things[0].number_or("y", 0.5) == 0.5);
    things[0].done();
}

TEST_CASE("what a TOML table lacks, has in another type or has too much is refused by name") {
    const TomlDocument document("[[thing]]\nname = 'a'\nn = -1\nt = ''\nx = inf\nl = [1]\nb = 3\n", "t.toml");
    TomlTable thing = document.root().tables("thing").at(0);
    CHECK_THROWS_WITH_AS(thing.text("none"), "t.toml: [[thing]] a: key 'none' is missing, wanted a text", FormatError);
    CHECK_THROWS_WITH_AS(thing.integer("n"), "t.toml: [[thing]] a: key 'n' is -1, wanted a whole number of at least 0",
                         FormatError);
    CHECK_THROWS_AS(thing.text("t"), FormatError);
    CHECK_THROWS_AS(thing.text_or("n", ""), FormatError);
    CHECK_THROWS_AS(thing.number("x"), FormatError);
    CHECK_THROWS_AS(thing.number("name"), FormatError);
    CHECK_THROWS_AS(thing.texts("l"), FormatError);
    CHECK_THROWS_AS(thing.texts("n"), FormatError);
    CHECK_THROWS_AS(thing.tables("l"), FormatError);
    CHECK_THROWS_AS(thing.tables("n"), FormatError);
    CHECK_THROWS_AS(thing.flag_or("b", true), FormatError);
    CHECK_THROWS_WITH_AS(document.root().tables("thing").at(0).done(),
                         "t.toml: [[thing]] a: key 'b' is not known: misspelt?", FormatError);
    CHECK_THROWS_AS(TomlDocument("a = ", "t.toml"), FormatError);
}
