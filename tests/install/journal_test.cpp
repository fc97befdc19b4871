#include "install/journal.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "base/paths.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

struct Home {
    TemporaryFolder folder;
    TemporaryVariable state{"ECH0_STATE", (folder / "state").string()};

    fs::path operator/(const std::string& name) const { return folder / name; }
};

Change change_of(const fs::path& file, const std::optional<std::string>& after) {
    FileEdit edit = edit_of(file);
    edit.after = after;
    return {"test", {edit}, ""};
}

}  // namespace

TEST_CASE("changes are taken back one after another, the last one first, to the very bytes") {
    const Home home;
    const std::string bytes = std::string("a\0b\xFF", 4);
    write_file(home / "f", bytes);
    CHECK(apply(change_of(home / "f", "1\n")));
    CHECK(apply(change_of(home / "f", "2\n")));
    CHECK(apply(change_of(home / "f", std::nullopt)));
    CHECK_FALSE(fs::exists(home / "f"));
    undo_last_change();
    CHECK(read_file(home / "f") == "2\n");
    undo_last_change();
    CHECK(read_file(home / "f") == "1\n");
    undo_last_change();
    CHECK(read_file(home / "f") == bytes);
    CHECK_FALSE(last_change());
    CHECK_FALSE(fs::exists(home / "state"));
}

TEST_CASE("what changes nothing leaves no trace") {
    const Home home;
    write_file(home / "f", "x");
    CHECK_FALSE(apply(change_of(home / "f", "x")));
    CHECK_FALSE(fs::exists(home / "state"));
}

TEST_CASE("folders that a change made go with it, and others stay") {
    const Home home;
    fs::create_directories(home / "a");
    CHECK(apply(change_of(home / "a/b/c/f", "x")));
    CHECK(read_file(home / "a/b/c/f") == "x");
    undo_last_change();
    CHECK_FALSE(fs::exists(home / "a/b"));
    CHECK(fs::exists(home / "a"));
    CHECK(apply(change_of(home / "a/b/f", "x")));
    write_file(home / "a/b/mine", "y");
    undo_last_change();
    CHECK(read_file(home / "a/b/mine") == "y");
}

TEST_CASE("a file keeps who may read it") {
    const Home home;
    write_file(home / "f", "x");
    fs::permissions(home / "f", fs::perms::owner_read | fs::perms::owner_write);
    apply(change_of(home / "f", "y"));
    CHECK(fs::status(home / "f").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a file that somebody changed since is left alone, and nothing is undone") {
    const Home home;
    write_file(home / "f", "x");
    apply(change_of(home / "f", "y"));
    write_file(home / "f", "mine");
    CHECK_THROWS_AS(undo_last_change(), UsageError);
    CHECK(read_file(home / "f") == "mine");
    write_file(home / "f", "x");  // put back by hand: that is undone too
    undo_last_change();
    CHECK_FALSE(last_change());
}

TEST_CASE("a change that was cut short is taken back as far as it went") {
    const Home home;
    write_file(home / "f", "x");
    Change change = change_of(home / "f", "y");
    change.edits.push_back(change_of(home / "g", "new").edits[0]);
    apply(change);
    fs::remove(home / "g");  // as if killed before the second file was written
    undo_last_change();
    CHECK(read_file(home / "f") == "x");
    CHECK_FALSE(fs::exists(home / "g"));
}

TEST_CASE("a file that can't be written undoes those before it") {
    const Home home;
    write_file(home / "f", "x");
    write_file(home / "no-folder", "");
    Change change = change_of(home / "f", "y");
    change.edits.push_back(change_of(home / "no-folder/g", "new").edits[0]);
    CHECK_THROWS_AS(apply(change), FileError);
    CHECK(read_file(home / "f") == "x");
    CHECK_FALSE(fs::exists(home / "state"));
}

TEST_CASE("a damaged note of a change is named") {
    const Home home;
    apply(change_of(home / "f", "y"));
    write_file(home / "state/changes/1.cbor", "garbage");
    CHECK_THROWS_AS(last_change(), FormatError);
    CHECK_THROWS_AS(undo_last_change(), FormatError);
}
