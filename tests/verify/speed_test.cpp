#include "verify/speed.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

TEST_CASE("a model alone in a process has a speed and a peak memory that grows with its weights") {
    const TemporaryFolder folder;
    write_tiny_model({.n_ctx_train = 2048}, folder / "small.gguf");
    write_tiny_model({.n_layer = 8,
                      .n_embd = 512,
                      .n_head = 8,
                      .n_head_kv = 8,
                      .n_embd_head = 64,
                      .n_ff = 2048,
                      .n_ctx_train = 2048},
                     folder / "large.gguf");
    const std::vector<std::string> models = {(folder / "small.gguf").string(), (folder / "large.gguf").string()};
    int64_t last_done = -1;
    const std::vector<Speed> speeds =
        measure_alone(ECH0_BINARY, models, 2, {.n_prompt = 64, .n_generate = 16, .n_ctx = 256},
                      [&](std::string_view, int64_t done, int64_t total) {
                          CHECK(total == 4);
                          last_done = done;
                      });
    REQUIRE(speeds.size() == 2);
    CHECK(last_done == 4);
    CHECK(speeds[0].prompt_tokens_per_s > speeds[1].prompt_tokens_per_s);
    CHECK(speeds[0].tokens_per_s > speeds[1].tokens_per_s);
    const auto grown = static_cast<double>(speeds[1].peak_memory_bytes - speeds[0].peak_memory_bytes);
    const auto weights = static_cast<double>(read_model(models[1]).tensor_bytes - read_model(models[0]).tensor_bytes);
    CHECK(grown > 0.8 * weights);
    CHECK(grown < 2.5 * weights);  // a CPU back end may keep a repacked copy
}

TEST_CASE("a worker's share is a word of a command line") {
    const RemoteShare share = read_share(share_word({"fe80::1/64:50052", 2, 15}));
    CHECK(share.endpoint == "fe80::1/64:50052");
    CHECK(share.device == 2);
    CHECK(share.n_layer == 15);
    for (const char* word : {"", "/", "//", "a:1", "a:1/2", "a:1/x/3", "a:1/2/", "a:1/2/-3", "a:1/2/3x"})
        CHECK_THROWS_WITH_AS(read_share(word), doctest::Contains("wanted HOST:PORT/DEVICE/LAYERS"), UsageError);
}

TEST_CASE("this process's own size is not counted") {
    const TemporaryFolder folder;
    write_tiny_model({.n_ctx_train = 2048}, folder / "small.gguf");
    const std::vector<char> ballast(400 << 20, 'x');
    const std::vector<std::string> models = {(folder / "small.gguf").string()};
    const std::vector<Speed> speeds =
        measure_alone(ECH0_BINARY, models, 1, {.n_prompt = 8, .n_generate = 1, .n_ctx = 64});
    CHECK(speeds[0].peak_memory_bytes > 1 << 20);
    CHECK(speeds[0].peak_memory_bytes < 200 << 20);
    CHECK(ballast.back() == 'x');
}

TEST_CASE("a child that fails is an error with its own words") {
    const TemporaryFolder folder;
    const std::vector<std::string> none = {(folder / "none.gguf").string()};
    CHECK_THROWS_WITH_AS(measure_alone(ECH0_BINARY, none, 1, {}), doctest::Contains("none.gguf"), EngineError);
    CHECK_THROWS_WITH_AS(measure_alone("/bin/echo", none, 1, {}), doctest::Contains("no JSON"), EngineError);
    CHECK_THROWS_AS(measure_alone("/nowhere/ech0", none, 1, {}), FileError);
}
