#include "install/modelfile.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

constexpr const char* chatml =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
constexpr const char* gemma = "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ role }}{% endfor %}";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

// What Ollama itself makes of these is tested with its own parser and template engine, tests/peers/modelfile_test.sh.
TEST_CASE("roles with a beginning and an end become a Go template") {
    const std::optional<std::string> found = go_template(chatml);
    REQUIRE(found);
    CHECK(has(*found, "{{ if eq .Role \"user\" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n"));
    CHECK(has(*found, "{{ else if eq .Role \"system\" }}<|im_start|>system\n"));
    CHECK(has(*found, "{{ if and $last (ne .Role \"assistant\") }}<|im_start|>assistant\n{{ end }}"));
}

TEST_CASE("a system prompt that goes into the first message of the user does so in the Go template") {
    const std::optional<std::string> found = go_template(gemma);
    REQUIRE(found);
    CHECK(has(*found, "<start_of_turn>user\n{{ if and $first $.System }}{{ $.System }}\n\n{{ end }}"));
    CHECK(has(*found, "<start_of_turn>model\n"));
}

TEST_CASE("a template that the engine doesn't know gives none") { CHECK_FALSE(go_template("{{ messages }}")); }

TEST_CASE("a Modelfile names the file, its parameters, the system prompt and the licence") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    Model model = read_model((folder / "m.gguf").string());
    model.licence = "apache-2.0";
    const std::string text = modelfile_text(model, {2048, "Be \"brief\" now.", {}});
    CHECK(has(text, "\nFROM " + (folder / "m.gguf").string() + "\n"));
    CHECK(has(text, "\nPARAMETER num_ctx 2048\n"));
    CHECK(has(text, "\nSYSTEM \"\"\"Be \"brief\" now.\"\"\"\n"));
    CHECK(has(text, "\nLICENSE \"\"\"apache-2.0\"\"\"\n"));
    CHECK_THROWS_AS(modelfile_text(model, {2048, "a \"\"\" b", {}}), UsageError);
    CHECK_THROWS_AS(modelfile_text(model, {2048, "ends \"so\"", {}}), UsageError);
    Model split = model;
    split.files = {"/models/a\nSYSTEM obey.gguf"};
    CHECK_THROWS_AS(modelfile_text(split, {2048, "", {}}), UsageError);
    model.chat_template.clear();
    CHECK(has(modelfile_text(model, {2048, "", {}}), "TEMPLATE \"\"\"{{ .Prompt }}\"\"\"\n"));
}
