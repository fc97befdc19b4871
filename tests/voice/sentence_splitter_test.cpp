#include "voice/sentence_splitter.h"

#include <doctest/doctest.h>

using namespace ech0;

namespace {

using Sentences = std::vector<std::string>;

Sentences split(const std::string& text, size_t step = 1000, bool eager = false) {
    SentenceSplitter splitter(eager);
    Sentences all;
    const auto add = [&](const Sentences& more) { all.insert(all.end(), more.begin(), more.end()); };
    for (size_t at = 0; at < text.size(); at += step) add(splitter.push(text.substr(at, step)));
    add(splitter.finish());
    return all;
}

}  // namespace

TEST_CASE("sentences end at full stops, question and exclamation marks, and at lines") {
    CHECK(split("It is Paris. Is it? Yes! Good") == Sentences{"It is Paris.", "Is it?", "Yes!", "Good"});
    CHECK(split("- one\n- two\n\nThree") == Sentences{"- one", "- two", "Three"});
    CHECK(split("He said \"no.\" Then (he left.) **Bold.** End.") ==
          Sentences{"He said \"no.\"", "Then (he left.)", "**Bold.**", "End."});
    CHECK(split("Wait… What?! No...") == Sentences{"Wait…", "What?!", "No..."});
    CHECK(split("東京です。大阪！") == Sentences{"東京です。", "大阪！"});
}

TEST_CASE("full stops within sentences end none") {
    CHECK(split("Dr. Smith has 3.5 apples, e.g. red ones. He eats.") ==
          Sentences{"Dr. Smith has 3.5 apples, e.g. red ones.", "He eats."});
    CHECK(split("J. R. R. Tolkien wrote it.") == Sentences{"J. R. R. Tolkien wrote it."});
    CHECK(split("Use ech0.cpp or a.b.c now.") == Sentences{"Use ech0.cpp or a.b.c now."});
    CHECK(split("1. First of all.\n2. Second") == Sentences{"1. First of all.", "2. Second"});
    CHECK(split("It weighs approx. 3 kg. That is all.") == Sentences{"It weighs approx. 3 kg.", "That is all."});
}

TEST_CASE("the pieces in which a text comes don't matter") {
    const std::string text =
        "Dr. Smith said: \"Go.\" Then he left… A list:\n1. One. Two\n```\ncode. Not spoken.\n```\nAfter it, the end. "
        "Fin";
    const Sentences whole = split(text);
    for (size_t step = 1; step < 12; step++) CHECK(split(text, step) == whole);
}

TEST_CASE("a sentence comes out as soon as what follows shows that it is one") {
    SentenceSplitter splitter(false);
    CHECK(splitter.push("It is Paris").empty());
    CHECK(splitter.push(".").empty());
    CHECK(splitter.push(" ").empty());
    CHECK(splitter.push("A") == Sentences{"It is Paris."});
    CHECK(splitter.finish() == Sentences{"A"});
    CHECK(splitter.push("Yes! ") == Sentences{"Yes!"});
}

TEST_CASE("only the first piece may end at a comma, and only a long one") {
    const std::string text = "Well, when the sun shines on the water, it evaporates, and then, in the sky, it cools.";
    CHECK(split(text, 1000, true) ==
          Sentences{"Well, when the sun shines", "on the water, it evaporates, and then, in the sky, it cools."});
    CHECK(split("To boil an egg, you need water, and a pot.", 1000, true) ==
          Sentences{"To boil an egg,", "you need water, and a pot."});
    CHECK(split("Pi is 3,141,592,653,589,793,238 times. Yes.", 3, true).size() == 2);
}

TEST_CASE("the first piece may end before a word that begins a phrase, once that word is whole") {
    CHECK(split("The best way is to live with a culture and to speak with people and friends. Go on.", 1, true) ==
          Sentences{"The best way is to live with a culture", "and to speak with people and friends.", "Go on."});
    CHECK(split("The largest planet of our solar system is Jupiter.", 1, true) ==
          Sentences{"The largest planet of our solar system", "is Jupiter."});
    CHECK(split("Cats and dogs and mice are animals of the house.", 1, true) ==
          Sentences{"Cats and dogs and mice are animals of the house."});
    CHECK(split("All that lives deep down there android.", 1, true) ==
          Sentences{"All that lives deep down there android."});
    CHECK(split("The best way is to live with a culture and to speak.", 1, false).size() == 1);
    SentenceSplitter splitter;
    CHECK(splitter.push("The sky looks blue by day because").empty());
    CHECK(splitter.push(" ") == Sentences{"The sky looks blue by day"});
}

TEST_CASE("code blocks are left out, also unfinished ones") {
    CHECK(split("Look:\n```cpp\nint a; // Hm. So.\n```\nDone.") == Sentences{"Look:", "Done."});
    CHECK(split("Look:\n~~~\na. B.\n```\nc\n~~~\nDone.") == Sentences{"Look:", "Done."});
    CHECK(split("Look:\n```\nint a;") == Sentences{"Look:"});
    CHECK(split("Type `ls` now.") == Sentences{"Type `ls` now."});
    CHECK(split("`ls` lists files. Good.", 1) == Sentences{"`ls` lists files.", "Good."});
}

TEST_CASE("a sentence without an end is cut where a breath may be") {
    std::string text;
    for (int i = 0; i < 400; i++) text += "word ";
    const Sentences found = split(text);
    CHECK(found.size() >= 4);
    for (const std::string& sentence : found) CHECK(sentence.size() <= 420);
}

TEST_CASE("blanks and empty lines are no sentences") {
    CHECK(split("").empty());
    CHECK(split(" \n\n \t\n").empty());
}
