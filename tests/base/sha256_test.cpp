#include "base/sha256.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

// Vectors: NIST, "Secure Hash Standard" examples (FIPS 180-4).
TEST_CASE("SHA-256 gives the published digests") {
    CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("SHA-256 of a million a's is the same by pieces, by file and at once") {
    const std::string text(1'000'000, 'a');
    const std::string wanted = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    CHECK(sha256(text) == wanted);
    Sha256 pieces;
    for (size_t at = 0; at < text.size(); at += 777)
        pieces.update(text.data() + at, std::min<size_t>(777, text.size() - at));
    CHECK(pieces.hex() == wanted);
    const TemporaryFolder folder;
    write_file(folder / "a", text);
    CHECK(sha256_of_file(folder / "a") == wanted);
}

TEST_CASE("a remembered hash follows a change of the file") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    write_file(folder / "a", "abc");
    CHECK(cached_sha256_of_file(folder / "a") == sha256("abc"));
    CHECK(cached_sha256_of_file(folder / "a") == sha256("abc"));
    write_file(folder / "a", "other");
    CHECK(cached_sha256_of_file(folder / "a") == sha256("other"));
}

TEST_CASE("a remembered hash is what is read the second time") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    write_file(folder / "a", "abc");
    cached_sha256_of_file(folder / "a");
    for (const auto& memo : std::filesystem::directory_iterator(folder / "cache" / "sha256")) {
        write_file(memo.path(), std::string(64, '0'));
    }
    CHECK(cached_sha256_of_file(folder / "a") == std::string(64, '0'));
}

TEST_CASE("a damaged memo is no hash") {
    const TemporaryFolder folder;
    const TemporaryVariable cache("ECH0_CACHE", (folder / "cache").string());
    write_file(folder / "a", "abc");
    cached_sha256_of_file(folder / "a");
    for (const auto& memo : std::filesystem::directory_iterator(folder / "cache" / "sha256"))
        write_file(memo.path(), "half a ha");
    CHECK(cached_sha256_of_file(folder / "a") == sha256("abc"));
}

TEST_CASE("a cache that can't be written costs nothing but time") {
    const TemporaryFolder folder;
    write_file(folder / "file", "not a folder");
    const TemporaryVariable cache("ECH0_CACHE", (folder / "file").string());
    write_file(folder / "a", "abc");
    CHECK(cached_sha256_of_file(folder / "a") == sha256("abc"));
}
