#include "machine/profiles.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

const std::string one =
    "[[machine]]\n"
    "name = \"box-24gb\"\n"
    "aliases = [\"box\"]\n"
    "title = \"A box, 24 GB\"\n"
    "backend = \"Metal\"\n"
    "memory_total_bytes = 25769803776\n"
    "model_budget_bytes = 19069468672\n"
    "model_budget_why = \"what Metal says\"\n"
    "model_budget_source = \"https://example.org/log\"\n"
    "model_budget_grade = \"published\"\n"
    "read_bytes_per_s = 120e9\n"
    "read_source = \"https://example.org/specs\"\n";

const std::string speed =
    "[[machine.published]]\n"
    "model = \"llama 7B\"\n"
    "type = \"Q4_0\"\n"
    "size_bytes = 3825000000\n"
    "n_params = 6740000000\n"
    "tokens_per_s = 24.11\n"
    "source = \"https://example.org/bench\"\n";

std::string with(const std::string& line) { return one + line + "\n"; }

std::string without(const std::string& key) {
    std::string text = one;
    const size_t at = text.find("\n" + key + " ") + 1;
    return text.erase(at, text.find('\n', at) + 1 - at);
}

std::string changed(const std::string& key, const std::string& value) {
    return without(key) + key + " = " + value + "\n";
}

void check_refused(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(parse_profiles(text, "f.toml"), doctest::Contains(part.c_str()), FormatError);
}

}  // namespace

TEST_CASE("a profile is read with its figures and their sources") {
    const std::vector<Machine> machines = parse_profiles(one + speed, "f.toml");
    REQUIRE(machines.size() == 1);
    const Machine& machine = machines[0];
    CHECK(machine.name == "box-24gb");
    CHECK(machine.aliases == std::vector<std::string>{"box"});
    CHECK(machine.is_this == false);
    CHECK(machine.backend == "Metal");
    CHECK(machine.memory_total_bytes == 25769803776);
    CHECK(machine.model_budget_bytes == 19069468672);
    CHECK(machine.budget_source == "what Metal says (https://example.org/log)");
    CHECK(machine.budget_grade == Grade::published);
    CHECK(machine.read_bytes_per_s == 120e9);
    CHECK(machine.read_grade == Grade::published);
    REQUIRE(machine.published.size() == 1);
    CHECK(machine.published[0].tokens_per_s == 24.11);
    CHECK(machine.published[0].prompt_tokens_per_s == 0);
}

TEST_CASE("files one after another are one document") {
    std::string other = one;
    other.replace(other.find("box-24gb"), 8, "bix-24gb").replace(other.find("\"box\""), 5, "\"bix\"");
    CHECK(parse_profiles(one + speed + other, "f.toml").size() == 2);
    CHECK(parse_profiles("", "f.toml").empty());
    CHECK(parse_profiles("# nothing\n", "f.toml").empty());
}

TEST_CASE("an error in a profile names file, machine, key, what was found and what was wanted") {
    CHECK_THROWS_WITH_AS(
        parse_profiles(with("cores = -3"), "f.toml"),
        "f.toml: [[machine]] box-24gb: line 13, column 1: key 'cores' is -3, wanted a whole number of at least 1",
        FormatError);
    CHECK_THROWS_WITH_AS(parse_profiles(with("core = 3"), "f.toml"),
                         "f.toml: [[machine]] box-24gb: line 13, column 1: key 'core' is not known: misspelt?",
                         FormatError);
}

TEST_CASE("a missing key, a wrong type, a number out of range, a mistyped key are refused") {
    for (const std::string key : {"name", "title", "backend", "memory_total_bytes", "model_budget_bytes",
                                  "model_budget_why", "model_budget_grade", "read_bytes_per_s", "read_source"}) {
        check_refused(without(key), "key '" + key + "' is missing");
        check_refused(changed(key, "[1]"), "key '" + key + "' is [1]");
        check_refused(changed(key, "-1"), "key '" + key + "' is -1");
    }
    check_refused(changed("memory_total_bytes", "24.5"), "is 24.5, wanted a whole number");
    check_refused(changed("memory_total_bytes", "1000"), "key 'model_budget_bytes' is 19069468672, wanted at most");
    for (const char* value : {"inf", "nan", "true", "0", "0.0"})
        check_refused(changed("read_bytes_per_s", value), "key 'read_bytes_per_s' is");
    check_refused(changed("title", "\"\""), "key 'title' is");
    check_refused(changed("aliases", "[1]"), "key 'aliases' is");
    check_refused(changed("model_budget_grade", "\"measured\""), "wanted 'published' or 'predicted'");
    check_refused(with("flops_per_s = 1e12"), "key 'flops_source' is missing");
    check_refused(with("flops_per_s = 0"), "key 'flops_per_s' is 0");
    check_refused(with("published = 3"), "key 'published' is 3");
    check_refused(one + speed + "colour = 1\n", "[[published]] 1: line 20, column 1: key 'colour' is not known");
    check_refused(one + speed + "prompt_tokens_per_s = -1\n", "key 'prompt_tokens_per_s' is -1");
    std::string silent = speed;
    silent.erase(silent.find("tokens_per_s"), sizeof("tokens_per_s = 24.11"));
    check_refused(one + silent, "key 'tokens_per_s' is missing, wanted it, or prompt_tokens_per_s");
}

TEST_CASE("names can be typed, are not 'this', and are given once") {
    for (const char* name : {"\"this\"", "\"M4\"", "\"a b\"", "\"-x\"", "\"a/b\"", "\"ä\""})
        check_refused(changed("name", name), "key 'name' is");
    check_refused(changed("aliases", "[\"Box\"]"), "key 'aliases' is");
    check_refused(one + one, "'box' is given twice");
    check_refused(changed("aliases", "[\"box-24gb\"]"), "'box-24gb' is given twice");
}

TEST_CASE("what is no TOML, or holds other things, is refused") {
    check_refused("[[machine]]\nname = \n", "f.toml: line 2");
    check_refused("\xff\xfe", "f.toml: line 1");
    check_refused("machine = 3\n", "key 'machine' is 3");
    check_refused("[machine]\nname = \"x\"\n", "key 'machine' is {");
    check_refused("machine = [1]\n", "key 'machine' is [1]");
    check_refused("[[machines]]\n", "key 'machines' is not known");
    check_refused("x = 99999999999999999999\n", "f.toml: line 1");
}

TEST_CASE("every profile that comes with the program can be read") {
    std::error_code absent;
    for (const fs::directory_entry& entry : fs::directory_iterator(ECH0_SOURCE_FOLDER "/share/machines", absent)) {
        if (entry.path().extension() != ".toml") continue;
        CAPTURE(entry.path().string());
        CHECK(parse_profiles(read_file(entry.path()), entry.path().string()).size() > 0);
    }
    const TemporaryFolder folder;
    const TemporaryVariable config("ECH0_CONFIG", folder.path().string());
    CHECK_NOTHROW(machine_profiles());
}

TEST_CASE("a person's own profiles come first, and each file's errors name the file") {
    const TemporaryFolder folder;
    const TemporaryVariable config("ECH0_CONFIG", folder.path().string());
    fs::create_directories(folder / "machines");
    write_file(folder / "machines/mine.toml", one);
    write_file(folder / "machines/notes.txt", "no profile");
    const std::vector<Machine> machines = machine_profiles();
    REQUIRE(machines.size() >= 1);
    CHECK(machines[0].name == "box-24gb");
    CHECK(find_machine("BOX-24GB").title == "A box, 24 GB");
    CHECK(find_machine("box").name == "box-24gb");
    write_file(folder / "machines/other.toml", one);
    CHECK_THROWS_WITH_AS(machine_profiles(), doctest::Contains("other.toml"), FormatError);
    write_file(folder / "machines/other.toml", "nonsense");
    CHECK_THROWS_WITH_AS(find_machine("box"), doctest::Contains("other.toml: line 1"), FormatError);
}

TEST_CASE("own profiles are looked for where XDG_CONFIG_HOME or HOME says") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "xdg/ech0/machines");
    fs::create_directories(folder / "home/.config/ech0/machines");
    write_file(folder / "xdg/ech0/machines/a.toml", one);
    write_file(folder / "home/.config/ech0/machines/a.toml", changed("title", "\"At home\""));
    const TemporaryVariable none("ECH0_CONFIG", "");
    const TemporaryVariable home("HOME", (folder / "home").string());
    {
        const TemporaryVariable xdg("XDG_CONFIG_HOME", (folder / "xdg").string());
        CHECK(find_machine("box").title == "A box, 24 GB");
    }
    const TemporaryVariable xdg("XDG_CONFIG_HOME", "");
    CHECK(find_machine("box").title == "At home");
}

TEST_CASE("a profile of one's own wins over the built-in one of its name") {
    const TemporaryFolder folder;
    const TemporaryVariable config("ECH0_CONFIG", folder.path().string());
    const std::vector<Machine> built_in = machine_profiles();
    if (built_in.empty()) return;
    fs::create_directories(folder / "machines");
    write_file(folder / "machines/mine.toml", changed("name", "\"" + built_in[0].name + "\""));
    CHECK(find_machine(built_in[0].name).title == "A box, 24 GB");
    CHECK(machine_profiles().size() == built_in.size());
}
