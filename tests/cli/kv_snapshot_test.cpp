// `ech0 kv pack`, `unpack`, `info` and `profile`, the real program on states that the engine wrote.

#include <doctest/doctest.h>

#include "base/file.h"
#include "support/engine_state.h"
#include "support/run.h"
#include "support/store_tree.h"

using namespace ech0;

namespace {

struct Here {
    EmptyHome home;
    EngineStateOptions cache;
    EngineState state;

    Here() {
        cache.model.n_embd = 128, cache.model.n_head = 2, cache.model.n_head_kv = 1, cache.model.n_embd_head = 64;
        cache.n_tokens = 70;
        state = make_engine_state(cache);
        write_tiny_model(cache.model, home / "m.gguf");
        TinyModel other = cache.model;
        other.seed = 2;
        write_tiny_model(other, home / "other.gguf");
        write_file(home / "s.bin", state.sequence);
    }

    Finished kv(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "kv");
        RunOptions options;
        options.folder = home.folder.path();
        return run_ech0(arguments, options);
    }
    std::string said(const std::vector<std::string>& arguments) const {
        const Finished run = kv(arguments);
        CHECK(run.status == 2);
        CHECK(run.out.empty());
        return run.err;
    }
    void profile() const {
        const Finished run = kv({"profile", "m.gguf", "--ctx", "128", "--chunks", "3", "--threads", "1"});
        REQUIRE_MESSAGE(run.status == 0, run.err);
    }
};

bool says(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("kv pack and unpack: the state comes back to the bit, and nothing is written over unasked") {
    const Here here;
    const Finished packed = here.kv({"pack", "s.bin"});
    CHECK(packed.status == 0);
    CHECK(says(packed.out, "It comes back to the bit"));
    CHECK(says(packed.out, "Next: ech0 kv unpack s.bin.ekv"));
    CHECK(says(here.said({"unpack", "s.bin.ekv"}), "s.bin is there already: name what to write with -o"));
    CHECK(says(here.said({"pack", "s.bin"}), "s.bin.ekv is there already"));
    std::filesystem::remove(here.home / "s.bin");
    const Finished unpacked = here.kv({"unpack", "s.bin.ekv"});
    CHECK(unpacked.status == 0);
    CHECK(read_file(here.home / "s.bin") == here.state.sequence);
    const Finished info = here.kv({"info", "s.bin.ekv", "--check"});
    CHECK(info.status == 0);
    CHECK(says(info.out, "70 cells, 2 layers of F16"));
    CHECK(says(info.out, "4, all sound"));
    CHECK(says(here.kv({"info", "s.bin"}).out, "a sequence of llama.cpp (version 2)"));
}

TEST_CASE("kv pack with a loss: measured, kept to, and unpacked with the profile it was packed with") {
    const Here here;
    here.profile();
    const Finished packed = here.kv({"pack", "s.bin", "--model", "m.gguf", "--ratio", "4", "--threads", "1"});
    REQUIRE_MESSAGE(packed.status == 0, packed.err);
    CHECK(says(packed.out, "with loss\nKL divergence "));
    CHECK(std::filesystem::file_size(here.home / "s.bin.ekv") * 4 <= here.state.sequence.size());
    const Finished unpacked = here.kv({"unpack", "s.bin.ekv", "-o", "t.bin", "--model", "m.gguf"});
    REQUIRE_MESSAGE(unpacked.status == 0, unpacked.err);
    const std::string again = read_file(here.home / "t.bin");
    CHECK(again.size() == here.state.sequence.size());
    CHECK(again != here.state.sequence);
    CHECK(engine_restores_sequence(here.cache, again));

    const Finished close =
        here.kv({"pack", "s.bin", "-o", "k.ekv", "--model", "m.gguf", "--kl", "0.0001", "--threads", "1"});
    REQUIRE_MESSAGE(close.status == 0, close.err);
    const double kl = std::stod(close.out.substr(close.out.find("KL divergence ") + 14));
    CHECK(kl <= 0.0001);
}

TEST_CASE("kv unpack: without the profile it is said what is missing; a file that carries its own needs none") {
    const Here here;
    here.profile();
    REQUIRE(here.kv({"pack", "s.bin", "--model", "m.gguf", "--ratio", "3", "--threads", "1"}).status == 0);
    CHECK(says(here.said({"pack", "s.bin.ekv", "-o", "again.ekv"}), "packed with loss already"));
    // A tiny cache is smaller than its profile: then no ratio leaves room for both, and that is said.
    CHECK(says(here.said({"pack", "s.bin", "-o", "w.ekv", "--model", "m.gguf", "--ratio", "2", "--with-profile"}),
               "of which counts, tokens, profile and index take"));
    const Finished with = here.kv(
        {"pack", "s.bin", "-o", "w.ekv", "--model", "m.gguf", "--kl", "0.01", "--with-profile", "--threads", "1"});
    REQUIRE_MESSAGE(with.status == 0, with.err);
    std::filesystem::remove_all(here.home / "ech0-cache");
    CHECK(says(here.said({"unpack", "s.bin.ekv", "-o", "t"}), "needs the KV profile of"));
    CHECK_FALSE(std::filesystem::exists(here.home / "t"));
    CHECK(here.kv({"unpack", "w.ekv", "-o", "t"}).status == 0);
    write_file(here.home / "p", "no profile");
    CHECK(says(here.said({"unpack", "s.bin.ekv", "-o", "u", "--profile", "p"}), "another KV profile than"));
}

TEST_CASE("kv: another model, a damaged file, a file that is still being written are refused in a line") {
    const Here here;
    REQUIRE(here.kv({"pack", "s.bin", "--model", "m.gguf"}).status == 0);
    CHECK(says(here.said({"unpack", "s.bin.ekv", "-o", "t", "--model", "other.gguf"}), "not of this model"));
    TinyModel wide = here.cache.model;
    wide.n_layer = 3;
    write_tiny_model(wide, here.home / "wide.gguf");
    CHECK(says(here.said({"pack", "s.bin", "-o", "t.ekv", "--model", "wide.gguf"}), "a state of another model"));
    write_file(here.home / "half.bin", here.state.sequence.substr(0, here.state.sequence.size() / 2));
    CHECK(says(here.said({"pack", "half.bin"}), "is it still being written?"));
    std::string damaged = read_file(here.home / "s.bin.ekv");
    damaged[70] ^= 1;
    write_file(here.home / "d.ekv", damaged);
    CHECK(says(here.said({"unpack", "d.ekv"}), "d.ekv: block 0 (K of layer 0) is damaged"));
    const Finished info = here.kv({"info", "d.ekv", "--check"});
    CHECK(info.status == 1);
    CHECK(says(info.out, "block 0 (K of layer 0) is damaged"));
    CHECK_FALSE(std::filesystem::exists(here.home / "d"));
    write_file(here.home / "no.ekv", "hello");
    CHECK(says(here.said({"unpack", "no.ekv"}), "no .ekv: it does not begin as one"));
    CHECK(says(here.said({"info", "no.ekv"}), "no.ekv: "));
    CHECK(says(here.said({"info", "nowhere"}), "No such file"));
}

TEST_CASE("kv pack: options that contradict each other are named") {
    const Here here;
    CHECK(says(here.said({"pack", "s.bin", "--kl", "0.01"}), "needs the model that the cache is of: --model MODEL"));
    CHECK(says(here.said({"pack", "s.bin", "--raw", "f32:10", "--model", "m.gguf"}), "--raw packs numbers"));
    CHECK(says(here.said({"pack", "s.bin", "--with-profile"}), "--with-profile is for --kl and --ratio"));
    CHECK(says(here.said({"pack", "s.bin", "--raw", "f32"}), "--raw f32: wanted TYPE:COLUMNS"));
    CHECK(says(here.said({"pack", "s.bin", "--raw", "f32:x"}), "wanted TYPE:COLUMNS"));
    CHECK(says(here.said({"pack", "s.bin", "--kl", "1", "--ratio", "2", "--model", "m.gguf"}), "--ratio"));
    CHECK(says(here.said({"unpack", "s.bin"}), "does not end in .ekv"));
}

TEST_CASE("kv pack --raw: the old test data, 100 equal vectors of 1000, is 683 times smaller and more") {
    const Here here;
    const float value = 0.5F;
    std::string rows;
    for (int i = 0; i < 100000; i++) rows.append(reinterpret_cast<const char*>(&value), 4);
    write_file(here.home / "equal", rows);
    const Finished run = here.kv({"pack", "equal", "--raw", "f32:1000"});
    CHECK(run.status == 0);
    CHECK(std::filesystem::file_size(here.home / "equal.ekv") * 683 < rows.size());
    CHECK(here.kv({"unpack", "equal.ekv", "-o", "again"}).status == 0);
    CHECK(read_file(here.home / "again") == rows);
    CHECK(says(here.kv({"info", "equal.ekv"}).out, "rows of 1000 F32 numbers"));
}

#ifdef ECH0_FAULTS

TEST_CASE("kv pack and unpack: a full disk or a kill at any write leaves the state, and no half file of its name") {
    const Here here;
    REQUIRE(here.kv({"pack", "s.bin", "-o", "good.ekv"}).status == 0);
    RunOptions options;
    options.folder = here.home.folder.path();
    options.environment["LD_PRELOAD"] = ECH0_FAULTS;
    for (const std::string way : {"ENOSPC", "kill"}) {
        for (int point = 0; point < 8; point++) {
            options.environment["ECH0_FAULT"] = "write:" + std::to_string(point) + ":" + way;
            CAPTURE(options.environment["ECH0_FAULT"]);
            for (const bool packing : {true, false}) {
                const Finished run = run_ech0(packing ? std::vector<std::string>{"kv", "pack", "s.bin", "-o", "t"}
                                                      : std::vector<std::string>{"kv", "unpack", "good.ekv", "-o", "t"},
                                              options);
                if (run.status == 2) CHECK(says(run.err, "ech0: "));
                if (std::filesystem::exists(here.home / "t") && packing)
                    CHECK(here.kv({"info", "t", "--check"}).status == 0);
                if (std::filesystem::exists(here.home / "t") && !packing)
                    CHECK(read_file(here.home / "t") == here.state.sequence);
                CHECK(read_file(here.home / "s.bin") == here.state.sequence);
                std::filesystem::remove(here.home / "t");
            }
        }
    }
}

#endif
