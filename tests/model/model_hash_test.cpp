#include "model/model_hash.h"

#include <doctest/doctest.h>

#include "base/sha256.h"
#include "support/store_tree.h"
#include "support/tiny_model.h"

using namespace ech0;

TEST_CASE("a split model is known by all its parts") {
    const EmptyHome home;
    const auto parts = write_tiny_model_parts({}, home.folder.path(), "m", 2);
    const Model model = read_model(parts[0].string());
    REQUIRE(model.files.size() == 2);
    CHECK(remembered_sha256_of_model(model) == "");
    cached_sha256_of_file(parts[0]);
    CHECK(remembered_sha256_of_model(model) == "");  // a part is not enough
    const std::string hash = sha256_of_model(model);
    CHECK(hash == sha256(sha256_of_file(parts[0]) + "\n" + sha256_of_file(parts[1]) + "\n"));
    CHECK(remembered_sha256_of_model(model) == hash);
}

TEST_CASE("a model of one file is known by its file") {
    const EmptyHome home;
    write_tiny_model({}, home / "m.gguf");
    CHECK(sha256_of_model(read_model((home / "m.gguf").string())) == sha256_of_file(home / "m.gguf"));
}
