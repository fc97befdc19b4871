#include "install/shell_rc.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::string with_block(std::string_view text) { return with_shell_block(text, "bash", "/h/my config", "rc"); }

}  // namespace

TEST_CASE("the block goes to the end once, and a second time changes nothing") {
    const std::string once = with_block("alias x=1");
    CHECK(once == "alias x=1\n# >>> ech0 >>>\nif [ -f '/h/my config' ]; then . '/h/my config'; fi\n# <<< ech0 <<<\n");
    CHECK(with_block(once) == once);
    CHECK(with_block("").starts_with("# >>> ech0 >>>\n"));
}

TEST_CASE("an older block is brought up to date where it stands") {
    CHECK(with_block("a\n# >>> ech0 >>>\nold\n# <<< ech0 <<<\nb\n") ==
          "a\n# >>> ech0 >>>\nif [ -f '/h/my config' ]; then . '/h/my config'; fi\n# <<< ech0 <<<\nb\n");
}

TEST_CASE("half a block is refused with its line") {
    CHECK_THROWS_WITH_AS(with_block("a\n# >>> ech0 >>>\nb\n"),
                         "rc: line 2: '# >>> ech0 >>>' stands without its other mark; remove the rest of ech0's block",
                         FormatError);
    CHECK_THROWS_AS(with_block("# <<< ech0 <<<\n"), FormatError);
    CHECK_THROWS_AS(with_block("# <<< ech0 <<<\n# >>> ech0 >>>\n"), FormatError);
}

TEST_CASE("each shell has its own start file, by its own rules") {
    const TemporaryVariable home("HOME", "/home/me"), zsh("ZDOTDIR", ""), xdg("XDG_CONFIG_HOME", "");
    CHECK(shell_rc_file("bash") == "/home/me/.bashrc");
    CHECK(shell_rc_file("zsh") == "/home/me/.zshrc");
    CHECK(shell_rc_file("fish") == "/home/me/.config/fish/config.fish");
    CHECK_THROWS_AS(shell_rc_file("tcsh"), UsageError);
    const TemporaryVariable folder("ZDOTDIR", "/z");
    CHECK(shell_rc_file("zsh") == "/z/.zshrc");
    const TemporaryVariable shell("SHELL", "/usr/bin/fish");
    CHECK(login_shell() == "fish");
}

TEST_CASE("a shell reads the variables through the block, and is content without the file") {
    const TemporaryFolder folder;
    const std::filesystem::path production = folder / "it's here";
    write_file(folder / "rc", with_shell_block("set -e\n", "bash", production, "rc"));
    const std::string script = ". " + (folder / "rc").string() + "; echo \"[$ECH0_MODEL]\"";
    CHECK(run({"bash", "-c", script}).out == "[]\n");
    write_file(production, "export ECH0_MODEL='a b'\n");
    CHECK(run({"bash", "-c", script}).out == "[a b]\n");
    CHECK(run({"sh", "-c", script}).out == "[a b]\n");
}
