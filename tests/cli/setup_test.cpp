// setup, use, undo and modelfile, in a home folder of their own.

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/paths.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A home with something in it, and two models beside it. No Ollama is on this PATH.
struct Place {
    TemporaryFolder folder;
    RunOptions options;

    Place() {
        fs::create_directories(home() / ".config/other");
        write_file(home() / ".bashrc", std::string("alias x=1\n# no newline at the end \xFF"));
        write_file(home() / ".config/other/settings", "a\n");
        write_tiny_model({}, folder / "a.gguf");
        write_tiny_model({.seed = 2}, folder / "b.gguf");
        options.environment = {{"HOME", home().string()},
                               {"SHELL", "/bin/bash"},
                               {"XDG_CONFIG_HOME", ""},
                               {"XDG_STATE_HOME", ""},
                               {"ECH0_CONFIG", ""},
                               {"ECH0_STATE", ""},
                               {"ECH0_CACHE", (folder / "cache").string()},
                               {"PATH", "/usr/bin:/bin"}};
        options.folder = folder.path();
    }
    fs::path home() const { return folder / "home"; }
    Finished ech0(const std::vector<std::string>& arguments) const { return run_ech0(arguments, options); }

    /// Every file and folder of the home, with its bytes and who may read it.
    std::map<std::string, std::string> snapshot() const {
        std::map<std::string, std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(home()))
            found[entry.path().string() + " " + std::to_string(static_cast<int>(entry.status().permissions()))] =
                entry.is_regular_file() ? read_file(entry.path()) : "";
        return found;
    }
};

}  // namespace

TEST_CASE("setup, use and undo of both leave the home folder as it was, to the byte") {
    const Place place;
    const auto before = place.snapshot();
    CHECK(place.ech0({"setup", "a.gguf", "--shell-rc", "auto", "--system", "Be brief."}).status == 0);
    const auto set_up = place.snapshot();
    CHECK(set_up != before);
    CHECK(has(read_file(place.home() / ".config/ech0/config.toml"), "model = \"" + (place.folder / "a.gguf").string()));
    CHECK(has(read_file(place.home() / ".bashrc"), "# >>> ech0 >>>"));

    CHECK(place.ech0({"use", "b.gguf"}).status == 0);
    CHECK(has(read_file(place.home() / ".config/ech0/config.toml"), (place.folder / "b.gguf").string()));
    const Finished sourced =
        run({"sh", "-c", ". ./.ech0_production_config; echo $ECH0_MODEL $ECH0_KV_TYPE"}, {.folder = place.home()});
    CHECK(sourced.out == (place.folder / "b.gguf").string() + " f16\n");

    CHECK(place.ech0({"undo"}).status == 0);
    CHECK(place.snapshot() == set_up);
    CHECK(place.ech0({"undo"}).status == 0);
    CHECK(place.snapshot() == before);
    const Finished none = place.ech0({"undo"});
    CHECK(none.status == 1);
    CHECK(none.out == "nothing to undo\n");
}

TEST_CASE("setup and use a second time change nothing") {
    const Place place;
    place.ech0({"setup", "a.gguf", "--shell-rc", "bash"});
    const auto once = place.snapshot();
    CHECK(place.ech0({"setup", "a.gguf", "--shell-rc", "bash"}).out == "nothing to change\n");
    CHECK(place.ech0({"use", "a.gguf"}).out == "nothing to change\n");
    CHECK(place.snapshot() == once);
}

TEST_CASE("a dry run shows the diff and writes nothing") {
    const Place place;
    const auto before = place.snapshot();
    const Finished ran = place.ech0({"setup", "a.gguf", "--shell-rc", "zsh", "--dry-run"});
    CHECK(ran.status == 0);
    CHECK(has(ran.out, "--- /dev/null\n+++ " + (place.home() / ".zshrc").string() + "\n@@ -0,0 +1,3 @@\n"));
    CHECK(place.snapshot() == before);
    place.ech0({"setup", "a.gguf"});
    const auto set_up = place.snapshot();
    CHECK(has(place.ech0({"use", "b.gguf", "--dry-run"}).out, "+export ECH0_MODEL="));
    CHECK(has(place.ech0({"undo", "--dry-run"}).out, "undo of 'ech0 setup a.gguf':\n--- "));
    CHECK(place.snapshot() == set_up);
}

TEST_CASE("use switches config.toml alone where no production file was set up") {
    const Place place;
    CHECK(place.ech0({"use", "a.gguf", "--ctx", "128"}).status == 0);
    CHECK_FALSE(fs::exists(place.home() / ".ech0_production_config"));
    CHECK(has(read_file(place.home() / ".config/ech0/config.toml"), "ctx = 128\n"));
}

TEST_CASE("an error in config.toml stops every command that reads it, with line and column, and is left as it is") {
    const Place place;
    const std::string broken = "model = 'a'\n[run]\nctx = yes\n";
    fs::create_directories(place.home() / ".config/ech0");
    write_file(place.home() / ".config/ech0/config.toml", broken);
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"setup"}, {"use", "a.gguf"}, {"chat", "-p", "x"}}) {
        const Finished ran = place.ech0(command);
        CHECK(ran.status == 2);
        CHECK(has(ran.err, "config.toml: line 3, column 7: "));
        CHECK(count_lines(ran.err) == 1);
    }
    CHECK(read_file(place.home() / ".config/ech0/config.toml") == broken);
}

TEST_CASE("a home that can't be written is one line, and nothing is left behind") {
    Place place;
    write_file(place.folder / "file", "");
    place.options.environment["HOME"] = (place.folder / "file").string();
    const Finished ran = place.ech0({"setup", "a.gguf"});
    CHECK(ran.status == 2);
    CHECK(ran.err.starts_with("ech0: make the folder " + (place.folder / "file").string()));
    CHECK(count_lines(ran.err) == 1);
}

TEST_CASE("a model that is not there is refused before anything is written") {
    const Place place;
    const auto before = place.snapshot();
    CHECK(place.ech0({"use", "none.gguf"}).status == 2);
    CHECK(place.ech0({"setup", "none.gguf"}).status == 2);
    CHECK(place.ech0({"setup", "--shell-rc", "tcsh"}).status == 2);
    CHECK(place.snapshot() == before);
}

TEST_CASE("Ollama that is installed and does not run is a warning, and the switch is made") {
    Place place;
    fs::create_directories(place.folder / "bin");
    write_file(
        place.folder / "bin/ollama",
        "#!/bin/sh\necho 'Error: could not connect to ollama server, run `ollama serve` to start it' >&2\nexit 1\n");
    fs::permissions(place.folder / "bin/ollama", fs::perms::owner_all);
    place.options.environment["PATH"] = (place.folder / "bin").string() + ":/usr/bin:/bin";
    const Finished ran = place.ech0({"use", "a.gguf", "--json"});
    CHECK(ran.status == 0);
    CHECK(has(ran.err, "Ollama is installed but not running"));
    const json found = json::parse(ran.out);
    CHECK(found["ollama_model"] == "ech0/a");
    CHECK(has(found["ollama_problem"], "not running"));
    CHECK(found["files"].size() == 1);
}

TEST_CASE("modelfile prints a Modelfile, or writes it") {
    const Place place;
    const Finished printed = place.ech0({"modelfile", "a.gguf", "--ctx", "64", "--system", "Be brief."});
    CHECK(printed.status == 0);
    CHECK(has(printed.out, "\nFROM " + (place.folder / "a.gguf").string() + "\n"));
    CHECK(place.ech0({"modelfile", "a.gguf", "--ctx", "64", "--system", "Be brief.", "-o", "Modelfile"}).status == 0);
    CHECK(read_file(place.folder / "Modelfile") == printed.out);
    CHECK(place.ech0({"modelfile", "a.gguf", "-o", "none/Modelfile"}).status == 2);
}
