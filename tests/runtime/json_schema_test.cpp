#include "runtime/json_schema.h"

#include <doctest/doctest.h>
#include <llama-cpp.h>

#include <nlohmann/json.hpp>

#include "ech0/error.h"
#include "runtime/session_impl.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

/// The engine's own reading of a grammar: a text follows it if every token is allowed, and the end after the last.
struct Grammar {
    TemporaryFolder folder;
    Session session = tiny_session(folder);
    llama_sampler_ptr sampler;

    explicit Grammar(const std::string& schema)
        : sampler(llama_sampler_init_grammar(session.impl().vocab, grammar_of_schema(schema).c_str(), "root")) {
        REQUIRE_MESSAGE(sampler, grammar_of_schema(schema));
    }
    static Session tiny_session(const TemporaryFolder& folder) {
        write_tiny_model({}, folder / "m.gguf");
        return {read_model((folder / "m.gguf").string()), {.n_ctx = 64, .n_threads = 1}};
    }
    bool allows(llama_token token) {
        llama_token_data one{token, 0, 0};
        llama_token_data_array array{&one, 1, -1, false};
        llama_sampler_apply(sampler.get(), &array);
        return one.logit > -INFINITY;
    }
    bool follows(const std::string& text) {
        llama_sampler_reset(sampler.get());
        for (const char c : text) {  // a byte at a time: no token of several may hide a step
            const std::vector<int32_t> tokens = session.tokenize(std::string(1, c), false, false);
            REQUIRE(tokens.size() == 1);
            if (!allows(tokens[0])) return false;
            llama_sampler_accept(sampler.get(), tokens[0]);
        }
        return allows(llama_vocab_eos(session.impl().vocab)) || allows(llama_vocab_eot(session.impl().vocab));
    }
};

}  // namespace

TEST_CASE("objects have their required members, the others if they like, and none beside") {
    Grammar grammar(R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"},
                        "c": {"type": "boolean"}}, "required": ["b"]})");
    CHECK(grammar.follows(R"({"b": "x"})"));
    CHECK(grammar.follows(R"({"a":1,"b":"x","c":true})"));
    CHECK(grammar.follows(R"({"a": -12, "b": ""})"));
    CHECK(grammar.follows(R"({"b": "x", "c": false})"));
    CHECK_FALSE(grammar.follows(R"({})"));
    CHECK_FALSE(grammar.follows(R"({"a": 1})"));
    CHECK_FALSE(grammar.follows(R"({, "b": "x"})"));
    CHECK_FALSE(grammar.follows(R"({"a": 1.5, "b": "x"})"));
    CHECK_FALSE(grammar.follows(R"({"b": "x", "d": 1})"));
    CHECK_FALSE(grammar.follows(R"({"b": "x",})"));
}

TEST_CASE("lists, choices, references and lengths") {
    Grammar list(R"({"type": "array", "items": {"enum": ["a", 1, null]}, "minItems": 1, "maxItems": 2})");
    CHECK(list.follows(R"(["a"])"));
    CHECK(list.follows(R"([1, null])"));
    CHECK_FALSE(list.follows(R"([])"));
    CHECK_FALSE(list.follows(R"(["a", "a", "a"])"));
    CHECK_FALSE(list.follows(R"(["b"])"));

    Grammar tree(R"({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties":
                     {"v": {"type": ["number", "null"]}, "next": {"$ref": "#/$defs/node"}}, "required": ["v"]}}})");
    CHECK(tree.follows(R"({"v": 1.5e3, "next": {"v": null}})"));
    CHECK_FALSE(tree.follows(R"({"v": 1, "next": {}})"));

    Grammar word(R"({"anyOf": [{"type": "string", "minLength": 2, "maxLength": 3}, {"const": {"k": "\"q\""}}]})");
    CHECK(word.follows(R"("ab")"));
    CHECK(word.follows(R"("a\nb")"));
    CHECK(word.follows(R"({"k":"\"q\""})"));
    CHECK_FALSE(word.follows(R"("a")"));
    CHECK_FALSE(word.follows(R"("abcd")"));
}

TEST_CASE("an empty schema is any JSON") {
    Grammar grammar("{}");
    for (const char* text : {"1", "\"x\"", "[1, {\"a\": []}]", "{\"a\": {\"b\": null}}", "true"})
        CHECK(grammar.follows(text));
    CHECK_FALSE(grammar.follows("{a: 1}"));
}

TEST_CASE("what can't be put into a grammar is refused with its place") {
    const auto complaint = [](const std::string& schema) {
        try {
            grammar_of_schema(schema);
        } catch (const UsageError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(complaint("{").starts_with("--json-schema: no JSON: "));
    CHECK(complaint(R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}})") ==
          "--json-schema: #/a: 'minimum' can't be put into a grammar");
    CHECK(complaint(R"({"type": "thing"})") == "--json-schema: #: no type 'thing'");
    CHECK(complaint(R"({"$ref": "#/$defs/x"})") == "--json-schema: #: '$ref' #/$defs/x leads nowhere");
    CHECK(complaint(R"({"properties": {"a": true}, "required": ["b"]})").find("no property") != std::string::npos);
    CHECK(complaint(R"({"type": "string", "minLength": 3, "maxLength": 2})").find("less than") != std::string::npos);
}
