// What lossy snapshots of KV caches cost and save: kv_lossy.sh runs it over models, documents and context lengths.
//
//   kv_lossy profile MODEL OUT                                        learn the codec's profile on our own text
//   kv_lossy measure MODEL PROFILE TEXT OFFSET N_TOKENS TYPE NAME STEP…   one CSV line for each step around the
//                                                                     profile's own, in sixteenths of an octave; `q8_0`
//                                                                     and `q4_0`: the engine's own caches of that type
//
// A line: name, tokens, cache, what, bytes, ratio to the F16 cache's state, KL of the next 256 tokens, share of the
// same favourite there, equal greedy tokens of 64: fed the untouched cache's own path, and running freely, seconds to
// pack and unpack, to restore (unpack and hand over), and to recompute.

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/file.h"
#include "calibrate/text.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "kv/lossy.h"
#include "kv/profile_calibration.h"
#include "kv/replay.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr int64_t n_next = 256, n_greedy = 64;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int n_threads() { return std::getenv("THREADS") == nullptr ? 1 : std::atoi(std::getenv("THREADS")); }

void learn(const std::string& name, const std::string& out) {
    const Model model = read_model(name);
    KvProfileOptions options;
    options.n_threads = n_threads();
    if (std::getenv("CHUNKS") != nullptr) options.n_chunks = std::atoi(std::getenv("CHUNKS"));
    const double begin = now();
    const KvProfile profile = calibrate_kv_profile(model, embedded_calibration_text(), options,
                                                   [](std::string_view stage, int64_t done, int64_t total) {
                                                       fmt::print(stderr, "{} {}/{}\r", stage, done, total);
                                                   });
    write_file(out, serialized(profile));
    fmt::print(stderr, "profile of {} tokens in {:.0f} s, step {}\n", profile.n_tokens, now() - begin, profile.step);
}

struct Reference {
    std::vector<int32_t> tokens, next, greedy;  // next: n_next tokens of the text and the one after them
    std::string cache;
    std::vector<float> logits;
    double recompute_s = 0;
};

std::span<const uint8_t> bytes_of(const std::string& s) {
    return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

std::vector<int32_t> run_freely(Replay& replay, int32_t first, int64_t n) {
    std::vector<int32_t> out;
    for (int32_t token = first; static_cast<int64_t>(out.size()) < n; out.push_back(token))
        token = top1(replay.read_on(std::vector<int32_t>{token}));
    return out;
}

Reference make_reference(Session& session, Replay& replay, const std::string& text, int64_t n) {
    Reference r;
    const std::vector<int32_t> all = session.tokenize(text, true, false);
    if (static_cast<int64_t>(all.size()) < n + n_next + 1) throw UsageError(fmt::format("{} tokens only", all.size()));
    r.tokens.assign(all.begin(), all.begin() + n);
    r.next.assign(all.begin() + n, all.begin() + n + n_next + 1);
    const double begin = now();
    r.cache = replay.prefill(r.tokens);
    r.recompute_s = now() - begin;
    const std::span<const float> logits = replay.read_on(std::span(r.next).first(n_next));
    r.logits.assign(logits.begin(), logits.end());
    replay.restore(bytes_of(r.cache));
    r.greedy = run_freely(replay, r.next.front(), n_greedy);
    return r;
}

struct Quality {
    double kl = 0, top = 0;
    int64_t on_path = 0, freely = 0;
};

/// The cache is restored by `put`, twice.
Quality measure(Replay& replay, const Reference& r, const std::function<void()>& put) {
    Quality q;
    put();
    for (const Score& s :
         compare(r.logits, replay.read_on(std::span(r.next).first(n_next)), std::span(r.next).subspan(1), 1)) {
        q.kl += s.kl_divergence / n_next;
        q.top += s.same_top1 ? 1.0 / n_next : 0;
    }
    put();
    std::vector<int32_t> path = {r.next.front()};
    path.insert(path.end(), r.greedy.begin(), r.greedy.end() - 1);
    const std::span<const float> logits = replay.read_on(path);
    for (int64_t i = 0; i < n_greedy; i++)
        q.on_path += top1(logits.subspan(static_cast<size_t>(i * replay.n_vocab()),
                                         static_cast<size_t>(replay.n_vocab()))) == r.greedy[static_cast<size_t>(i)];
    replay.forget_from(static_cast<int64_t>(r.tokens.size()));
    const std::vector<int32_t> free = run_freely(replay, r.next.front(), n_greedy);
    for (size_t i = 0; i < free.size(); i++) q.freely += free[i] == r.greedy[i];
    return q;
}

void print(const std::string& name, const Reference& r, const std::string& type, const std::string& what, int64_t bytes,
           size_t of, const Quality& q, double pack_s, double unpack_s, double restore_s) {
    fmt::print("{},{},{},{},{},{:.3f},{:.5f},{:.4f},{},{},{:.3f},{:.3f},{:.3f},{:.2f}\n", name, r.tokens.size(), type,
               what, bytes, static_cast<double>(of) / static_cast<double>(bytes), q.kl, q.top, q.on_path, q.freely,
               pack_s, unpack_s, restore_s, r.recompute_s);
    std::fflush(stdout);
}

void measure_lossy(Replay& replay, const Reference& r, const KvProfile& profile, const std::string& type,
                   const std::string& name, int32_t offset) {
    const KvState state = read_kv_state(bytes_of(r.cache), "cache");
    check_lossy(state, profile, "cache");
    double at = now();
    const LossyCache packed = pack_lossy(profile, state, bytes_of(r.cache), profile.step + offset, n_threads());
    const double pack_s = now() - at;
    std::string restored = r.cache;
    at = now();
    unpack_lossy(profile, state, packed, n_threads(), {reinterpret_cast<uint8_t*>(restored.data()), restored.size()});
    const double unpack_s = now() - at;
    replay.restore(bytes_of(restored));
    const double restore_s = now() - at;
    const Quality q = measure(replay, r, [&] { replay.restore(bytes_of(restored)); });
    // What the .ekv has besides: the frame (counts, cells, tokens), index and checksums.
    const auto frame = static_cast<int64_t>(kv_frame(state).size());
    print(name, r, type, fmt::format("step{:+d}", offset), packed.size_bytes() + frame, r.cache.size(), q, pack_s,
          unpack_s, restore_s);
}

void measure_engine_type(Session& session, const Reference& r, const std::string& type, const std::string& name) {
    Replay replay(session, static_cast<int64_t>(r.tokens.size()) + n_next + 64, type, n_threads());
    const std::string cache = replay.prefill(r.tokens);
    const Quality q = measure(replay, r, [&] { replay.restore(bytes_of(cache)); });
    print(name, r, type, type, static_cast<int64_t>(cache.size()), r.cache.size(), q, 0, 0, 0);
}

void measure_document(int argc, char** argv) {
    const Model model = read_model(argv[2]);
    const KvProfile profile = parse_kv_profile(read_file(argv[3]), argv[3]);
    const int64_t n = std::atoll(argv[6]);
    const std::string type = argv[7], name = argv[8];
    const std::string text =
        read_file(argv[4]).substr(static_cast<size_t>(std::atoll(argv[5])), static_cast<size_t>((n + 400) * 8));
    SessionOptions options;
    options.n_ctx = 2;
    options.mapped = true;
    Session session(model, options);
    Replay replay(session, n + n_next + 64, type, n_threads());
    const Reference r = make_reference(session, replay, text, n);
    for (int i = 9; i < argc; i++) {
        const std::string what = argv[i];
        if (what == "q8_0" || what == "q4_0")
            measure_engine_type(session, r, what, name);
        else
            measure_lossy(replay, r, profile, type, name, std::atoi(argv[i]));
    }
}

}  // namespace
}  // namespace ech0

int main(int argc, char** argv) {
    try {
        const std::string command = argc > 1 ? argv[1] : "";
        if (command == "profile" && argc == 4)
            ech0::learn(argv[2], argv[3]);
        else if (command == "measure" && argc > 9)
            ech0::measure_document(argc, argv);
        else
            throw ech0::UsageError(
                "kv_lossy profile MODEL OUT | measure MODEL PROFILE TEXT OFFSET N TYPE NAME STEP...");
    } catch (const std::exception& e) {
        std::cerr << "kv_lossy: " << e.what() << "\n";
        return 2;
    }
}
