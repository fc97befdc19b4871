#include "install/change.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

// patch(1) is who reads such a text.
std::string patched(const std::string& before, const std::string& after) {
    const TemporaryFolder folder;
    write_file(folder / "file", before);
    write_file(folder / "diff", diff_text({"file", before, after}));
    RunOptions options;
    options.folder = folder.path();
    const Finished ran = run({"patch", "file", "diff"}, options);
    CHECK_MESSAGE(ran.status == 0, ran.out, ran.err);
    return read_file(folder / "file");
}

}  // namespace

TEST_CASE("patch makes of the old text the new one by the diff") {
    const std::string ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    CHECK(patched(ten, "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n") == "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n");
    CHECK(patched(ten, ten + "11\n") == ten + "11\n");
    CHECK(patched(ten, "0\n" + ten) == "0\n" + ten);
    CHECK(patched("a\nb", "a\nb\nc\n") == "a\nb\nc\n");
    CHECK(patched("a\nb\n", "a\nb") == "a\nb");
    CHECK(patched("x\nx\nx\n", "x\n") == "x\n");
}

TEST_CASE("a diff of a new file, of one removed, and of none") {
    CHECK(diff_text({"f", std::nullopt, "a\n"}) == "--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
    CHECK(diff_text({"f", "a\n", std::nullopt}) == "--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
    CHECK(diff_text({"f", "a\n", "a\n"}) == "");
}

TEST_CASE("a linked file is edited where its bytes lie") {
    const TemporaryFolder folder;
    write_file(folder / "real", "x\n");
    std::filesystem::create_symlink(folder / "real", folder / "link");
    const FileEdit edit = edit_of(folder / "link");
    CHECK(edit.file.filename() == "real");
    CHECK(edit.before == "x\n");
    CHECK_FALSE(edit.changes());
}
