#include "voice/spoken.h"

#include <doctest/doctest.h>

using namespace ech0;

TEST_CASE("marks of Markdown are not spoken") {
    CHECK(spoken("**Bold** and *italic*, ***both***, __old__ and ~~gone~~.") == "Bold and italic, both, old and gone.");
    CHECK(spoken("## A heading ##") == "A heading");
    CHECK(spoken("- an item") == "an item");
    CHECK(spoken("  * [x] no item but a mark") == "[x] no item but a mark");
    CHECK(spoken("- [x] done") == "done");
    CHECK(spoken("> > a quote") == "a quote");
    CHECK(spoken("Call `printf(\"%d\")` now") == "Call printf(\"%d\") now");
    CHECK(spoken("3. Third") == "3. Third");
    CHECK(spoken("a **bold sentence that goes on") == "a bold sentence that goes on");
}

TEST_CASE("what only looks like a mark is spoken") {
    CHECK(spoken("2 * 3 is 6") == "2 * 3 is 6");
    CHECK(spoken("#hashtag") == "#hashtag");
    CHECK(spoken("1 < 2 and 3 > 2") == "1 < 2 and 3 > 2");
    CHECK(spoken("C# and -5 degrees") == "C# and -5 degrees");
    CHECK(spoken("an \\*escaped\\* star") == "an *escaped* star");
    CHECK(spoken("array[0] and [1]") == "array[0] and [1]");
}

TEST_CASE("links are their text, addresses their host, and a word with underscores is several") {
    CHECK(spoken("See [the **guide**](https://a.b/c_(d)) or ![a cat](cat.png).") == "See the guide or a cat.");
    CHECK(spoken("See [this][1].") == "See this.");
    CHECK(spoken("Go to https://www.example.com/a/b?c=1, then <https://x.org>.") == "Go to example.com, then x.org.");
    CHECK(spoken("set max_n_tokens") == "set max n tokens");
}

TEST_CASE("tables are read cell by cell; rules and lines under heads are not") {
    CHECK(spoken("| City | People |") == "City, People");
    CHECK(spoken("|---|:--:|") == "");
    CHECK(spoken("---") == "");
    CHECK(spoken("* * *") == "");
}

TEST_CASE("HTML and entities become plain, pictures are left out") {
    CHECK(spoken("a<br>b <b>c</b> &amp; d&nbsp;e &lt;f&gt;") == "ab c & d e <f>");
    CHECK(spoken("Great! \U0001F600\u2728") == "Great!");
    CHECK(spoken("\U0001F600") == "");
    CHECK(spoken("Größe, 東京") == "Größe, 東京");
}

TEST_CASE("where there is no word there is nothing to say") {
    CHECK(spoken("") == "");
    CHECK(spoken("**") == "");
    CHECK(spoken("...") == "");
    CHECK(spoken("  \t ") == "");
}

TEST_CASE("any bytes can be asked for") {
    std::string bytes;
    uint32_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * 1664525 + 1013904223;
        bytes += "*_`~#>[]()!<\\&|-. a\xF0\x9F"[state >> 24 & 15] + static_cast<char>((state >> 16 & 31) == 0);
        if (bytes.size() > 40) {
            spoken(bytes);
            bytes.clear();
        }
    }
}
