#include "optimize/comparison.h"

#include <doctest/doctest.h>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

TEST_CASE("both models answer the same question, and what was cut says so") {
    const TemporaryFolder folder;
    TinyModel other;
    other.seed = 2;
    write_tiny_model({}, folder / "a.gguf");
    write_tiny_model(other, folder / "b.gguf");
    const Model a = read_model((folder / "a.gguf").string()), b = read_model((folder / "b.gguf").string());
    const Comparison same = compare_answers(a, a, "Hello?", 8, 1);
    CHECK(same.prompt == "Hello?");
    CHECK(same.original == same.candidate);
    CHECK(same.original.ends_with(" …"));
    const Comparison different = compare_answers(a, b, "Hello?", 8, 1);
    CHECK(different.original == same.original);
    CHECK(different.candidate != same.original);
}
