#include <csignal>
#include <fstream>
#include <regex>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ech0/session.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/terminal.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

const std::vector<std::string> quick = {"--temp", "0", "--threads", "1"};

std::vector<std::string> chat_arguments(const std::string& model, std::vector<std::string> more) {
    more.insert(more.begin(), {"chat", model});
    more.insert(more.end(), quick.begin(), quick.end());
    return more;
}

Finished chat(const std::string& model, const std::vector<std::string>& more, const std::string& input = "") {
    RunOptions options;
    options.input = input;
    return run_ech0(chat_arguments(model, more), options);
}

std::vector<std::string> talk(const std::vector<std::string>& more) {
    std::vector<std::string> command = chat_arguments("demo", more);
    command.insert(command.begin(), ECH0_BINARY);
    return command;
}

std::set<std::string> keys_of(const json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
}

}  // namespace

TEST_CASE("chat -p prints the answer alone, with one newline behind it") {
    const Finished ran = chat("demo", {"-p", "What is the capital of France?"});
    CHECK(ran.status == 0);
    CHECK(ran.out == "The capital of France is Paris.\n");
    CHECK(ran.err == "");
}

TEST_CASE("chat takes the prompt from stdin by -p - and when nobody is at the terminal, without the newline of echo") {
    const std::string answer = "The capital of France is Paris.\n";
    CHECK(chat("demo", {}, "What is the capital of France?\n").out == answer);
    CHECK(chat("demo", {"-p", "-"}, "What is the capital of France?").out == answer);
    CHECK(chat("demo", {"-p", "What is the capital of France?"}, "What is two and two?").out == answer);
}

TEST_CASE("chat --json has the keys of ech0.chat/1 and no others") {
    const Finished ran = chat("demo", {"--json", "--system", "Be brief.", "-p", "What is the capital of France?",
                                       "--ctx", "512", "--seed", "7"});
    REQUIRE(ran.status == 0);
    CHECK(ran.err == "");
    const json found = json::parse(ran.out);
    CHECK(keys_of(found) == std::set<std::string>{"schema",
                                                  "model",
                                                  "engine",
                                                  "raw",
                                                  "messages",
                                                  "answer",
                                                  "thoughts",
                                                  "stop",
                                                  "n_prompt_tokens",
                                                  "n_answer_tokens",
                                                  "n_forgotten_tokens",
                                                  "n_past",
                                                  "n_cells",
                                                  "n_ctx",
                                                  "n_reused_tokens",
                                                  "n_restored_tokens",
                                                  "restore_s",
                                                  "prompt_s",
                                                  "prompt_tokens_per_s",
                                                  "tokens_per_s",
                                                  "sampler"});
    CHECK(keys_of(found["model"]) == std::set<std::string>{"path", "name", "size_bytes"});
    CHECK(keys_of(found["sampler"]) == std::set<std::string>{"temp", "top_k", "top_p", "min_p", "repeat_penalty",
                                                             "repeat_last_n", "presence_penalty", "frequency_penalty",
                                                             "typical_p", "top_n_sigma", "xtc_probability",
                                                             "xtc_threshold", "grammar", "seed"});
    CHECK(found["schema"] == "ech0.chat/1");
    CHECK(found["stop"] == "end_of_turn");
    CHECK(found["n_ctx"] == 512);
    CHECK(found["sampler"]["seed"] == 7);
    REQUIRE(found["messages"].size() == 3);
    for (const json& message : found["messages"]) CHECK(keys_of(message) == std::set<std::string>{"role", "content"});
    CHECK(found["messages"][0] == json({{"role", "system"}, {"content", "Be brief."}}));
    CHECK(found["messages"][2]["content"] == found["answer"]);
    CHECK(found["n_past"] == found["n_prompt_tokens"].get<int>() + found["n_answer_tokens"].get<int>());
}

TEST_CASE("chat -n limits the answer, and the same seed gives the same one") {
    const std::vector<std::string> options = {
        "chat", "demo", "-p", "Tell me a story.", "-n", "12", "--seed", "11", "--threads", "1", "--json"};
    const json first = json::parse(run_ech0(options).out), second = json::parse(run_ech0(options).out);
    CHECK(first["n_answer_tokens"] == 12);
    CHECK(first["stop"] == "length");
    CHECK(first["answer"] == second["answer"]);
}

TEST_CASE("chat --raw goes on with the text") {
    const Finished ran = chat("demo", {"--raw", "-n", "3", "-p", "The capital of France is"});
    CHECK(ran.status == 0);
    CHECK(ran.out.find("Paris") != std::string::npos);
}

TEST_CASE("chat says that an answer was cut by the context") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");  // random weights never end their turn
    const Finished ran = chat((folder / "m.gguf").string(), {"-p", "Hello", "--ctx", "256"});
    CHECK(ran.status == 0);
    CHECK(ran.err ==
          "ech0: the answer is cut: the context of 256 tokens is full; --ctx makes it larger, --context-shift forgets "
          "the oldest tokens\n");
    const json shifted = json::parse(
        chat((folder / "m.gguf").string(), {"-p", "Hello", "--ctx", "256", "--context-shift", "--json"}).out);
    CHECK(shifted["n_answer_tokens"] == 256);
    CHECK(shifted["n_forgotten_tokens"] > 0);
    CHECK(shifted["stop"] == "length");
}

TEST_CASE("chat prints valid UTF-8 whatever the model says, as text and as JSON") {
    const TemporaryFolder folder;
    write_tiny_model({.seed = 5}, folder / "m.gguf");
    const std::string model = (folder / "m.gguf").string();
    const std::vector<std::string> wild = {"chat",    model, "-p",      "日本語 \xFF", "--temp",    "5",
                                           "--top-k", "0",   "--top-p", "1",           "--min-p",   "0",
                                           "--seed",  "1",   "--ctx",   "256",         "--threads", "1"};
    const Finished ran = run_ech0(wild);
    CHECK(ran.status == 0);
    CHECK(ran.out.find("\uFFFD") != std::string::npos);  // random bytes are mostly no characters
    CHECK_NOTHROW(json(ran.out).dump());                 // throws at what is no UTF-8
    std::vector<std::string> as_json = wild;
    as_json.push_back("--json");
    const json found = json::parse(run_ech0(as_json).out);
    CHECK(found["answer"].get<std::string>() + "\n" == ran.out);
}

TEST_CASE("what chat can't do is one line on stderr and exit 2, before the model is loaded if it can be known then") {
    const auto refused = [](const std::vector<std::string>& more, const std::string& message) {
        const Finished ran = chat("demo", more);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(ran.err == message);
    };
    refused({"-p", ""}, "ech0: the prompt is empty; give one by -p TEXT or on stdin\n");
    refused({}, "ech0: the prompt is empty; give one by -p TEXT or on stdin\n");
    refused({"-p", "x", "--top-p", "2"}, "ech0: --top-p is 2, wanted 0 to 1\n");
    refused({"-p", "x", "--raw", "--system", "y"},
            "ech0: a system prompt needs the chat template: leave out --system or --raw\n");
    refused({"-p", "x", "--ctx", "1"}, "ech0: context of 1 tokens: must lie between 2 and 16777216\n");
    const Finished ran = chat("demo", {"-p", "-"}, std::string(5000, 'a') + " b c d e f" + std::string(1, '\0'));
    CHECK(ran.status == 2);
    CHECK(ran.err == "ech0: prompt: a NUL byte at offset 5010, wanted text\n");
    CHECK(chat("no-such.gguf", {"-p", "x"}).status == 2);
}

TEST_CASE("chat ends quietly when the reader of its answer goes away") {
    const Finished ran =
        run({"sh", "-c",
             std::string(ECH0_BINARY) + " chat demo -p 'Count to a thousand.' --temp 0 --threads 1 | head -c 5"});
    CHECK(ran.status == 0);
    CHECK(ran.out.size() == 5);
    CHECK(ran.err == "");
}

TEST_CASE("SIGINT ends chat -p with 130 and one word") {
    const Finished ran =
        run({"sh", "-c",
             std::string(ECH0_BINARY) +
                 " chat demo -p 'Write a long story.' --raw --temp 0 --threads 1 > answer & "
                 "pid=$!; while [ ! -s answer ]; do sleep 0.05; done; kill -INT $pid; wait $pid; echo $?; rm answer"});
    CHECK(ran.out == "130\n");
    CHECK(ran.err == "ech0: interrupted\n");
}

TEST_CASE("a talk remembers, tells its numbers, and leaves by /exit") {
    Terminal terminal(talk({"-n", "24"}));
    terminal.wait_for("> ");
    terminal.type("What is the capital of France?\n");
    terminal.wait_for("The capital of France is Paris.");
    const std::string numbers = terminal.wait_for("> ");
    CHECK(std::regex_search(
        numbers, std::regex(R"(\[7 tokens, \d+\.\d tokens/s; prompt 16 tokens \(16 new\), .*context 23 of 4,096\])")));
    terminal.type("And of Italy?\n");
    const std::string second = terminal.wait_for("]\r\n> ");
    CHECK(second.find("Rome") != std::string::npos);
    CHECK(std::regex_search(second, std::regex(R"(prompt \d+ tokens \(1\d new\))")));
    terminal.type("/stats\n");
    CHECK(terminal.wait_for("seed").find("answers   2, ") != std::string::npos);
    terminal.type("/clear\n/stats\n");
    terminal.wait_for("context   0 of 4,096 tokens");
    terminal.type("/what\n");
    terminal.wait_for("no command /what; there are");
    terminal.wait_for("> ");
    terminal.type("/exit\n");
    CHECK(terminal.wait_for_end() == 0);
}

TEST_CASE("Ctrl-C stops the answer and not the talk; twice at the prompt it ends the talk") {
    Terminal terminal(talk({}));
    terminal.wait_for("> ");
    terminal.type("Write a very long story about a ferry, an island and a lighthouse keeper.\n");
    terminal.wait_for("\r\n");   // the echo of what was typed
    terminal.wait_for(" ", 60);  // a word or two
    terminal.wait_for(" ", 60);
    terminal.type("\x03");
    terminal.wait_for("; stopped]\r\n> ");
    terminal.type("What is the capital of France?\n");
    terminal.wait_for("]\r\n> ");
    terminal.type("half a line\x03");
    terminal.wait_for("(Ctrl-C again leaves, and so does /exit)");
    terminal.wait_for("> ");
    terminal.type("\x03");
    CHECK(terminal.wait_for_end() == 130);
}

TEST_CASE("a talk is saved, gone on with, answered again, and led by another system prompt or model") {
    const TemporaryFolder folder;
    const std::string file = (folder / "talk.json").string();
    {
        Terminal terminal(talk({"-n", "16"}));
        terminal.wait_for("> ");
        terminal.type("What is the capital of France?\n");
        terminal.wait_for("The capital of France is Paris.");
        terminal.wait_for("]\r\n");
        terminal.type("/regen\n");
        terminal.wait_for("> What is the capital of France?\r\nThe capital of France is Paris.");
        terminal.wait_for("]\r\n");
        terminal.type("/save " + file + "\n");
        terminal.wait_for("2 messages; '/load ");
        terminal.type("/system Answer in French.\n");
        terminal.wait_for("system prompt: Answer in French.");
        terminal.type("/load " + (folder / "none").string() + "\n");
        terminal.wait_for("No such file");
        terminal.type("/model none.gguf\n");
        terminal.wait_for("no model 'none.gguf'");
        terminal.type("/model demo\n");
        terminal.wait_for("/help lists commands");
        terminal.type("/stats\n");
        terminal.wait_for("answers   2, ");
        terminal.type("/exit\n");
        CHECK(terminal.wait_for_end() == 0);
    }
    const json saved = json::parse(read_file(file));
    CHECK(saved["schema"] == "ech0.conversation/1");
    REQUIRE(saved["messages"].size() == 2);
    CHECK(saved["messages"][1]["content"] == "The capital of France is Paris.");
    Terminal terminal(talk({"-n", "16"}));
    terminal.wait_for("> ");
    terminal.type("/load " + file + "\n");
    terminal.wait_for("2 messages; the next answer goes on");
    terminal.type("And of Italy?\n");
    terminal.wait_for("Rome");
}

TEST_CASE("lines are edited, remembered in the next talk, and may be several") {
    const TemporaryFolder folder;
    const TemporaryVariable state("ECH0_STATE", folder.path().string());
    {
        Terminal terminal(talk({"-n", "8"}));
        terminal.wait_for("> ");
        terminal.type(
            "What is the capital of Francf\x7F"
            "e?\n");  // backspace
        terminal.wait_for("Paris");
        terminal.wait_for("]\r\n");
        terminal.type("\"\"\"\nOne\nü\n\"\"\"\n");
        terminal.wait_for("]\r\n");
        terminal.type("two \\\nlines\n");
        terminal.wait_for("]\r\n");
        terminal.type("/exit\n");
        terminal.wait_for_end();
    }
    CHECK(read_file(folder / "chat_history") == "What is the capital of France?\nOne\\nü\ntwo \\nlines\n/exit\n");
    Terminal terminal(talk({"-n", "8"}));
    terminal.wait_for("> ");
    terminal.type("\x10\x10\x10\x10\n");  // Ctrl-P, four lines back
    terminal.wait_for("Paris");
}

TEST_CASE("an answer follows a JSON schema, whatever the model would rather say") {
    const std::string schema =
        R"({"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}, "inhabitants": {"type": "integer"}},
            "required": ["city", "inhabitants"]})";
    const Finished ran = chat("demo", {"-p", "Tell me a story about Paris.", "-j", schema});
    CHECK(ran.status == 0);
    const json found = json::parse(ran.out);
    CHECK(found["city"].is_string());
    CHECK(found["inhabitants"].is_number_integer());
    const Finished grammar = chat("demo", {"-p", "Is the sky blue?", "--grammar", "root ::= \"Yes\" | \"No\""});
    CHECK((grammar.out == "Yes\n" || grammar.out == "No\n"));
    CHECK(chat("demo", {"-p", "x", "--grammar", "root ::= ("}).status == 2);
    CHECK(chat("demo", {"-p", "x", "-j", "{"}).status == 2);
}

TEST_CASE("Ctrl-D leaves a talk, and SIGTERM ends it in the middle of an answer") {
    Terminal left(talk({}));
    left.wait_for("> ");
    left.type("\x04");
    CHECK(left.wait_for_end() == 0);

    Terminal ended(talk({}));
    ended.wait_for("> ");
    ended.type("Write a very long story about a ferry, an island and a lighthouse keeper.\n");
    ended.wait_for("\r\n");
    ended.wait_for(" ");
    ended.kill(SIGTERM);
    CHECK(ended.wait_for_end() == 130);
}

TEST_CASE("a message too long for the context is refused and the talk goes on") {
    Terminal terminal(talk({"--ctx", "256"}));
    terminal.wait_for("> ");
    std::string words;
    for (int i = 0; i < 450; i++) words += "7 ";  // short of the 1,024 bytes that macOS takes in a line
    terminal.type(words + "\n");
    terminal.wait_for("use a larger --ctx or a shorter prompt");
    terminal.wait_for("> ");
    terminal.type("What is the capital of France?\n");
    terminal.wait_for("Paris");
}

TEST_CASE("a terminal is not told what the model's control characters command") {
    const TemporaryFolder folder;
    write_tiny_model({.seed = 5}, folder / "m.gguf");
    Terminal terminal({ECH0_BINARY, "chat", (folder / "m.gguf").string(), "-p", "x", "--temp", "5", "--top-k", "0",
                       "--top-p", "1", "--min-p", "0", "--seed", "1", "--ctx", "256", "--threads", "1"});
    CHECK(terminal.wait_for_end() == 0);
    for (const char c : terminal.screen())
        CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t'));
    const Finished piped = run_ech0({"chat", (folder / "m.gguf").string(), "-p", "x", "--temp", "5", "--top-k", "0",
                                     "--top-p", "1", "--min-p", "0", "--seed", "1", "--ctx", "256", "--threads", "1"});
    CHECK(std::count_if(piped.out.begin(), piped.out.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; }) > 0);
}
