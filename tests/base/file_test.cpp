#include "base/file.h"

#include <csignal>
#include <fstream>
#include <functional>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

int64_t files_in(const fs::path& folder) {
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const FileError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a mapped file shows the file's bytes, also after they were released") {
    const TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 100'000; i++) text += std::to_string(i);
    write_file(folder / "a", text);
    const MappedFile mapped(folder / "a");
    const auto content = [&] {
        return std::string(reinterpret_cast<const char*>(mapped.data()), mapped.bytes().size());
    };
    CHECK(content() == text);
    mapped.prefetch(1, mapped.size_bytes());
    mapped.release(1, mapped.size_bytes());
    CHECK(content() == text);
}

TEST_CASE("an empty file maps to no bytes") {
    const TemporaryFolder folder;
    write_file(folder / "a", "");
    const MappedFile mapped(folder / "a");
    CHECK(mapped.size_bytes() == 0);
    CHECK(mapped.bytes().empty());
    mapped.release(0, 0);
    CHECK(read_file(folder / "a").empty());
}

TEST_CASE("what can't be mapped is named with the reason") {
    const TemporaryFolder folder;
    CHECK(message_of([&] { MappedFile file(folder / "nothing"); }) ==
          "open " + (folder / "nothing").string() + ": No such file or directory; check the path");
    CHECK(message_of([&] { MappedFile file(folder.path()); }).find("Is a directory") != std::string::npos);
    REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
    CHECK(message_of([&] { MappedFile file(folder / "pipe"); }).find("not a regular file") != std::string::npos);
}

TEST_CASE("an atomic file has its name only once it is committed") {
    const TemporaryFolder folder;
    AtomicFile file(folder / "out");
    file.write("hello");
    CHECK_FALSE(fs::exists(folder / "out"));
    file.commit();
    CHECK(read_file(folder / "out") == "hello");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("an atomic file without a commit leaves nothing, and the old file stays") {
    const TemporaryFolder folder;
    write_file(folder / "out", "old");
    {
        AtomicFile file(folder / "out");
        file.write("new");
    }
    CHECK(read_file(folder / "out") == "old");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a part that a killed program left is written over") {
    const TemporaryFolder folder;
    std::ofstream(folder / ".out.ech0-part") << "a long leftover of a killed program";
    write_file(folder / "out", "short");
    CHECK(read_file(folder / "out") == "short");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("two writers of one target: the second is refused and the first undisturbed") {
    const TemporaryFolder folder;
    AtomicFile first(folder / "out");
    first.write("first");
    CHECK(message_of([&] { AtomicFile second(folder / "out"); }).find("another process is writing it now") !=
          std::string::npos);
    first.commit();
    CHECK(read_file(folder / "out") == "first");
}

TEST_CASE("padding and writing over keep the size right") {
    const TemporaryFolder folder;
    AtomicFile file(folder / "out");
    file.write("header  ");
    file.write("body");
    file.pad_to(32);
    CHECK(file.size_bytes() == 32);
    file.pad_to(32);
    CHECK(file.size_bytes() == 32);
    file.write_at(0, "HEAD", 4);
    CHECK(file.size_bytes() == 32);
    file.commit();
    CHECK(read_file(folder / "out") == "HEADer  body" + std::string(20, '\0'));
}

TEST_CASE("a moved atomic file still writes one file") {
    const TemporaryFolder folder;
    AtomicFile file(folder / "out");
    file.write("a");
    AtomicFile moved(std::move(file));
    moved.write("b");
    moved.commit();
    CHECK(read_file(folder / "out") == "ab");
}

TEST_CASE("a size the disk can't hold is refused before the work, with the bytes needed and free") {
    const TemporaryFolder folder;
    AtomicFile file(folder / "out");
    const std::string message = message_of([&] { file.expect_size(int64_t{1} << 60); });
    CHECK(message.find("the disk is full: 1152921504.61 GB needed") != std::string::npos);
    CHECK(message.find(" free; make room or name a file on another disk") != std::string::npos);
}

TEST_CASE("a full disk is a FileError and leaves no file") {
    // /dev/full stands for a disk without room; the atomic file opens its part by name, so a link brings us there.
    if (!fs::exists("/dev/full")) return;
    const TemporaryFolder folder;
    fs::create_symlink("/dev/full", folder / ".out.ech0-part");
    const std::string message = message_of([&] {
        AtomicFile file(folder / "out");
        file.write("twelve bytes");
    });
    CHECK(message.find("the disk is full: 12 B needed") != std::string::npos);
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("the limit of a file's size is a FileError") {
    const TemporaryFolder folder;
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const struct rlimit small { 4096, limit.rlim_max };
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string message = message_of([&] { write_file(folder / "out", std::string(10'000, 'x')); });
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, before);
    CHECK(message.find("limit (ulimit -f)") != std::string::npos);
    CHECK(files_in(folder.path()) == 0);
}

TEST_CASE("a target in no folder, and a folder as target, are refused with the remedy") {
    const TemporaryFolder folder;
    CHECK(message_of([&] { AtomicFile file(folder / "no" / "out"); }).find("create it first") != std::string::npos);
    CHECK(message_of([&] { AtomicFile file(folder.path()); }).find("name a file, not a folder") != std::string::npos);
}

TEST_CASE("a folder that can't be written is refused") {
    if (geteuid() == 0) return;  // root may write everywhere
    const TemporaryFolder folder;
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(message_of([&] { AtomicFile file(folder / "out"); }).find("Permission denied") != std::string::npos);
    fs::permissions(folder.path(), fs::perms::owner_all);
}
