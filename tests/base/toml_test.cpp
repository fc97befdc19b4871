#include "base/toml.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

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
    CHECK_THROWS_WITH_AS(thing.integer("n"),
                         "t.toml: [[thing]] a: line 3, column 1: key 'n' is -1, wanted a whole number of at least 0",
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
                         "t.toml: [[thing]] a: line 7, column 1: key 'b' is not known: misspelt?", FormatError);
    CHECK_THROWS_AS(TomlDocument("a = ", "t.toml"), FormatError);
}

TEST_CASE("characters beyond ASCII stand in quotes and comments, and are refused elsewhere with their line") {
    CHECK(TomlDocument("\xEF\xBB\xBF"
                       "a = \"d\u00e9j\u00e0 \\\" vu\" # \u00e9t\u00e9\nb = '''x\n\u00e9'''\nc = '\u00e9'",
                       "t.toml")
              .root()
              .text("c") == "\u00e9");
    for (const char* text : {"m\u034b = 1", "a = \u00e9", "a = 1\n\u00e9"})
        CHECK_THROWS_WITH_AS(TomlDocument(text, "t.toml"), doctest::Contains("outside of quotes"), FormatError);
}

TEST_CASE("a table inside a document is read by its name, and its errors have line and column") {
    const TomlDocument document("a = 1\n[chat]\n  ctx = 'x'\n", "t.toml");
    TomlTable root = document.root();
    std::optional<TomlTable> chat = root.table("chat");
    REQUIRE(chat);
    CHECK_THROWS_WITH_AS(chat->integer("ctx"),
                         "t.toml: [chat]: line 3, column 3: key 'ctx' is \"x\", wanted a whole number of at least 0",
                         FormatError);
    CHECK_FALSE(root.table("none"));
    CHECK_THROWS_AS(root.table("a"), FormatError);
}

TEST_CASE("a key is set in a TOML text and all else stays as it was") {
    const std::string text = "# mine\n\nmodel = 'ö'  # the \"small\" one\n[chat] # talk\nctx = 1\n\n[serve]\nport = 2";
    const auto with = [&](std::string_view table, std::string_view key, const nlohmann::json& value) {
        return with_toml_key(text, table, key, value, "t.toml");
    };
    CHECK(with("", "model", "a\"b") ==
          "# mine\n\nmodel = \"a\\\"b\"  # the \"small\" one\n[chat] # talk\nctx = 1\n\n[serve]\nport = 2");
    CHECK(with("chat", "ctx", 8192).find("[chat] # talk\nctx = 8192\n\n[serve]") != std::string::npos);
    CHECK(with("chat", "kv", "q8_0").find("[chat] # talk\nkv = \"q8_0\"\nctx = 1\n") != std::string::npos);
    CHECK(with("serve", "port", 3).ends_with("[serve]\nport = 3"));
    CHECK(with("voice", "enabled", true).ends_with("port = 2\n\n[voice]\nenabled = true\n"));
    CHECK(with("", "other", 1).starts_with("# mine\n\nother = 1\nmodel = 'ö'"));
    CHECK(with_toml_key("", "", "model", "m", "t.toml") == "model = \"m\"\n");
    CHECK_THROWS_WITH_AS(with_toml_key("chat = {ctx = 1}\n", "chat", "kv", "x", "t.toml"),
                         "t.toml: line 1: table 'chat' is written in one line; write it as [chat] with one key on a "
                         "line",
                         FormatError);
}
