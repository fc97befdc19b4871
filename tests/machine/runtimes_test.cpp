#include "machine/runtimes.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

void write_program(const fs::path& file, const std::string& script) {
    fs::create_directories(file.parent_path());
    write_file(file, "#!/bin/sh\n" + script + "\n");
    fs::permissions(file, fs::perms::owner_all);
}

const Runtime* find(const std::vector<Runtime>& runtimes, const std::string& name) {
    for (const Runtime& runtime : runtimes)
        if (runtime.name == name) return &runtime;
    return nullptr;
}

}  // namespace

TEST_CASE("a version is found in what each runtime answers") {
    CHECK(version_in("ollama version is 0.5.4\n") == "0.5.4");
    // https://github.com/ollama/ollama/issues/8303: without a running server
    CHECK(version_in("Warning: could not connect to a running Ollama instance\nWarning: client version is 0.5.4\n") ==
          "0.5.4");
    CHECK(version_in("version: 4589 (30a3d0f)\nbuilt with cc (Debian 12.2.0-14) 12.2.0 for x86_64-linux-gnu\n") ==
          "4589 (30a3d0f)");
    // https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/956
    CHECK(version_in("lms - LM Studio CLI - v0.0.47\nGitHub: https://github.com/lmstudio-ai/lms\n") == "0.0.47");
}

TEST_CASE("an answer without a version has none") {
    for (const char* text : {"", "usage: prog", "version", "version is unknown", "error: no such option 7"}) {
        CAPTURE(text);
        CHECK(version_in(text) == "");
    }
}

TEST_CASE("programs on the PATH and in LM Studio's own folder are found and asked") {
    const TemporaryFolder folder;
    write_program(folder / "bin/ollama", "echo 'ollama version is 9.8.7'");
    write_program(folder / "bin/llama-server", "echo 'version: 4589 (30a3d0f)' >&2");
    write_program(folder / ".lmstudio/bin/lms", "test \"$1\" = version && echo 'lms - LM Studio CLI - v0.0.47'");
    const TemporaryVariable path("PATH", (folder / "bin").string() + ":/usr/bin:/bin");
    const TemporaryVariable home("HOME", folder.path().string());
    const std::vector<Runtime> runtimes = find_runtimes();
    const Runtime *const ollama = find(runtimes, "Ollama"), *const server = find(runtimes, "llama.cpp server"),
                         *const studio = find(runtimes, "LM Studio");
    REQUIRE(ollama != nullptr);
    REQUIRE(server != nullptr);
    REQUIRE(studio != nullptr);
    CHECK(ollama->path == folder / "bin/ollama");
    CHECK(ollama->version == "9.8.7");
    CHECK(server->version == "4589 (30a3d0f)");
    CHECK(studio->path == folder / ".lmstudio/bin/lms");
    CHECK(studio->version == "0.0.47");
}

TEST_CASE("a program that hangs, fails, or is for another machine is there without a version") {
    const TemporaryFolder folder;
    write_program(folder / "bin/ollama", "exec sleep 60");
    write_program(folder / "bin/llama-server", "exit 1");
    fs::create_directories(folder / "bin");
    write_file(folder / "bin/llama-cli",
               "\x7f"
               "ELF nonsense");
    fs::permissions(folder / "bin/llama-cli", fs::perms::owner_all);
    const TemporaryVariable path("PATH", (folder / "bin").string() + ":/usr/bin:/bin");
    const TemporaryVariable home("HOME", folder.path().string());
    const std::vector<Runtime> runtimes = find_runtimes();
    for (const char* name : {"Ollama", "llama.cpp server", "llama.cpp"}) {
        CAPTURE(name);
        REQUIRE(find(runtimes, name) != nullptr);
        CHECK(find(runtimes, name)->version == "");
    }
}

TEST_CASE("what is no program, or lies in the current folder, is not installed") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "bin/ollama");
    write_file(folder / "bin/llama-server", "not executable");
    const TemporaryVariable path("PATH", (folder / "bin").string() + "::.:bin");
    const TemporaryVariable home("HOME", "");
    const std::vector<Runtime> runtimes = find_runtimes();
    const Runtime* const ollama = find(runtimes, "Ollama");
    CHECK((ollama == nullptr || ollama->path.string().find(folder.path().string()) == std::string::npos));
    const Runtime* const server = find(runtimes, "llama.cpp server");
    CHECK((server == nullptr || server->path.string().find(folder.path().string()) == std::string::npos));
}
