#include "install/config.h"

#include <doctest/doctest.h>

#include "ech0/error.h"

using namespace ech0;

TEST_CASE("settings survive being written and read") {
    Config config;
    config.model = "/models/a \"b\".gguf";
    config.n_ctx = 8192;
    config.kv_type = "q8_0";
    config.system = "Be brief.\nBe kind.";
    config.host = "::1";
    config.port = 9000;
    config.voice_enabled = true;
    config.keep_alive = "30m";
    const std::string text = with_config("", config);
    const Config found = parse_config(text, "c.toml");
    CHECK(found.model == config.model);
    CHECK(found.n_ctx == 8192);
    CHECK(found.kv_type == "q8_0");
    CHECK(found.system == config.system);
    CHECK(found.host == "::1");
    CHECK(found.port == 9000);
    CHECK(found.voice_enabled);
    CHECK(found.keep_alive == "30m");
    CHECK(with_config(text, found) == text);
}

TEST_CASE("a person's own file keeps its words: only the key that changes is written") {
    const std::string mine = "# mine\nmodel = 'a'  # the good one\n[run]\nctx = 100\n";
    Config config = parse_config(mine, "c.toml");
    CHECK(with_config(mine, config) == mine);
    config.model = "b";
    CHECK(with_config(mine, config) == "# mine\nmodel = \"b\"  # the good one\n[run]\nctx = 100\n");
}

TEST_CASE("an error in the settings names line and column") {
    const auto complaint = [](const std::string& text) {
        try {
            parse_config(text, "c.toml");
        } catch (const FormatError& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(complaint("model = \"a\nb = 1\n").starts_with("c.toml: line 1, column "));
    CHECK(complaint("modle = 'a'\n") == "c.toml: line 1, column 1: key 'modle' is not known: misspelt?");
    CHECK(complaint("[serve]\n  port = 99999\n") ==
          "c.toml: [serve]: line 2, column 3: key 'port' is 99999, wanted 1 to 65535");
    CHECK(complaint("[run]\nctx = 'big'\n") ==
          "c.toml: [run]: line 2, column 1: key 'ctx' is \"big\", wanted a whole number of at least 0");
    CHECK(complaint("[voice]\n\nenabled = 1\n").starts_with("c.toml: [voice]: line 3, column 1: key 'enabled' is 1"));
    CHECK(complaint("chat = 3\n").starts_with("c.toml: line 1, column 1: key 'chat' is 3, wanted a table"));
}
