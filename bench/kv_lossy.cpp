// What lossy snapshots of KV caches cost and save: kv_lossy.sh runs it over models, documents and context lengths.
//
//   kv_lossy profile MODEL OUT                   learn the codec's profile on our own text
//   kv_lossy peer MODEL PROFILE SPAN RANK OUT    learn the rival's axes on the same text (kvtc_peer.h)
//   kv_lossy measure MODEL PROFILE TEXT OFFSET N_TOKENS TYPE NAME WHAT…
//
// The text begins behind the first newline at OFFSET. TYPE: of the cache that is packed, f16 or q8_0. One line for each
// WHAT, all from one reading of the text: a step around the profile's own, in sixteenths of an octave (-16); q8_0 or
// q4_0, the engine's own caches of that type; FILE@RATIO, the rival at 16 / RATIO bits per number.
//
// A line: name, tokens, cache, what, bytes, ratio to the cache's state, the same over heads that are not dead, KL of
// the next 256 tokens, share of the same favourite there, equal greedy tokens of 64: fed the untouched cache's own
// path, and running freely, processor seconds to pack and unpack, to restore (unpack and hand over), and to recompute.

#include <fmt/format.h>

#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/file.h"
#include "calibrate/text.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "kv/lossy.h"
#include "kv/prefill.h"
#include "kv/profile_calibration.h"
#include "kvtc_peer.h"
#include "runtime/divergence.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr int64_t n_next = 256, n_greedy = 64;

/// Seconds of processor time: with one thread the same as on an idle machine, however busy this one is.
double now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

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

void learn_rival(char** argv) {
    const Model model = read_model(argv[2]);
    const KvProfile profile = parse_kv_profile(read_file(argv[3]), argv[3]);
    SessionOptions options;
    options.n_ctx = 2;
    options.mapped = true;
    Session session(model, options);
    const double begin = now();
    const Peer peer = learn_peer(session, model, embedded_calibration_text(), profile, std::atoll(argv[4]),
                                 std::atoll(argv[5]), profile.n_tokens / profile.n_ctx, n_threads());
    write_peer(peer, argv[6]);
    fmt::print(stderr, "rival: {:.1f} MB in half precision, learnt in {:.0f} s\n",
               static_cast<double>(peer.size_bytes()) / 1e6, now() - begin);
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

std::vector<int32_t> run_freely(Session& context, int32_t first, int64_t n) {
    std::vector<int32_t> out;
    for (int32_t token = first; static_cast<int64_t>(out.size()) < n; out.push_back(token))
        token = top1(context.decode(std::vector<int32_t>{token}, 0));
    return out;
}

/// A context that reads a document of n tokens, and on.
SessionOptions options_of(int64_t n, const std::string& type) {
    return {.n_ctx = n + n_next + 64, .n_threads = n_threads(), .type_k = type, .type_v = type};
}

Reference make_reference(Session& context, const std::string& text, int64_t n) {
    Reference r;
    const std::vector<int32_t> all = context.tokenize(text, true, false);
    if (static_cast<int64_t>(all.size()) < n + n_next + 1) throw UsageError(fmt::format("{} tokens only", all.size()));
    r.tokens.assign(all.begin(), all.begin() + n);
    r.next.assign(all.begin() + n, all.begin() + n + n_next + 1);
    const double begin = now();
    r.cache = prefill(context, r.tokens);
    r.recompute_s = now() - begin;
    const std::span<const float> logits = context.decode(std::span(r.next).first(n_next), 0);
    r.logits.assign(logits.begin(), logits.end());
    context.restore(bytes_of(r.cache));
    r.greedy = run_freely(context, r.next.front(), n_greedy);
    return r;
}

struct Quality {
    double kl = 0, top = 0;
    int64_t on_path = 0, freely = 0;
};

/// The cache is restored by `put`, twice.
Quality measure(Session& context, const Reference& r, const std::function<void()>& put) {
    Quality q;
    put();
    for (const Score& s :
         compare(r.logits, context.decode(std::span(r.next).first(n_next), 0), std::span(r.next).subspan(1), 1)) {
        q.kl += s.kl_divergence / n_next;
        q.top += s.same_top1 ? 1.0 / n_next : 0;
    }
    put();
    std::vector<int32_t> path = {r.next.front()};
    path.insert(path.end(), r.greedy.begin(), r.greedy.end() - 1);
    const std::span<const float> logits = context.decode(path, 0);
    for (int64_t i = 0; i < n_greedy; i++)
        q.on_path += top1(logits.subspan(static_cast<size_t>(i * context.n_vocab()),
                                         static_cast<size_t>(context.n_vocab()))) == r.greedy[static_cast<size_t>(i)];
    context.truncate(static_cast<int64_t>(r.tokens.size()));
    const std::vector<int32_t> free = run_freely(context, r.next.front(), n_greedy);
    for (size_t i = 0; i < free.size(); i++) q.freely += free[i] == r.greedy[i];
    return q;
}

/// Where a line comes from.
struct Document {
    std::string name, type;
    double live = 1;  ///< share of K and V that no dead head has
};

/// Share of the numbers that lie in heads which are not always zero.
double live_share(const KvProfile& profile) {
    double live = 0, all = 0;
    for (const KvLayerProfile& layer : profile.layers)
        for (const auto* blocks : {&layer.k, &layer.v})
            for (const KvBlock& block : *blocks) {
                all += static_cast<double>(block.d);
                live += block.dead ? 0 : static_cast<double>(block.d);
            }
    return live / all;
}

struct Seconds {
    double pack = 0, unpack = 0, restore = 0;
};

void print(const Document& document, const Reference& r, const std::string& what, int64_t bytes, const Quality& q,
           const Seconds& s) {
    const double ratio = static_cast<double>(r.cache.size()) / static_cast<double>(bytes);
    fmt::print("{},{},{},{},{},{:.3f},{:.3f},{:.6f},{:.4f},{},{},{:.3f},{:.3f},{:.3f},{:.2f}\n", document.name,
               r.tokens.size(), document.type, what, bytes, ratio, ratio * document.live, q.kl, q.top, q.on_path,
               q.freely, s.pack, s.unpack, s.restore, r.recompute_s);
    std::fflush(stdout);
}

void measure_lossy(Session& context, const Reference& r, const KvProfile& profile, const Document& document,
                   int32_t offset) {
    const KvState state = read_kv_state(bytes_of(r.cache), "cache");
    check_lossy(state, profile, "cache");
    double at = now();
    const LossyCache packed = pack_lossy(profile, state, bytes_of(r.cache), profile.step + offset, n_threads());
    Seconds s;
    s.pack = now() - at;
    std::string restored = r.cache;
    at = now();
    unpack_lossy(profile, state, packed, n_threads(), {reinterpret_cast<uint8_t*>(restored.data()), restored.size()});
    s.unpack = now() - at;
    context.restore(bytes_of(restored));
    s.restore = now() - at;
    const Quality q = measure(context, r, [&] { context.restore(bytes_of(restored)); });
    // What the .ekv has besides: the frame (counts, cells, tokens), index and checksums.
    const auto frame = static_cast<int64_t>(kv_frame(state).size());
    print(document, r, fmt::format("step{:+d}", offset), packed.size_bytes() + frame, q, s);
}

/// @param what  FILE@RATIO
void measure_rival(Session& context, const Reference& r, const KvProfile& profile, const Document& document,
                   const std::string& what) {
    const size_t at = what.find('@');
    const Peer peer = read_peer(what.substr(0, at));
    const KvState state = read_kv_state(bytes_of(r.cache), "cache");
    const PeerPacked packed = pack_with_peer(peer, profile, state, bytes_of(r.cache), std::stod(what.substr(at + 1)));
    const Quality q = measure(context, r, [&] { context.restore(bytes_of(packed.restored)); });
    const std::string label = peer.span == 1 ? "pca-layer" : "pca-all";
    print(document, r, label + what.substr(at), packed.size_bytes + static_cast<int64_t>(kv_frame(state).size()), q,
          {packed.pack_s, 0, 0});
}

void measure_engine_type(const Session& weights, const Reference& r, const Document& document,
                         const std::string& type) {
    Session context(weights, options_of(std::ssize(r.tokens), type));
    const std::string cache = prefill(context, r.tokens);
    const Quality q = measure(context, r, [&] { context.restore(bytes_of(cache)); });
    print(document, r, type, static_cast<int64_t>(cache.size()), q, {});
}

void measure_document(int argc, char** argv) {
    const Model model = read_model(argv[2]);
    const KvProfile profile = parse_kv_profile(read_file(argv[3]), argv[3]);
    const int64_t n = std::atoll(argv[6]);
    const Document document{argv[8], argv[7], live_share(profile)};
    const std::string all = read_file(argv[4]);
    const size_t begin = all.find('\n', static_cast<size_t>(std::atoll(argv[5])));
    if (begin == std::string::npos) throw UsageError(fmt::format("{}: no line begins behind {}", argv[4], argv[5]));
    const std::string text = all.substr(begin + 1, static_cast<size_t>((n + 400) * 8));
    SessionOptions options;
    options.n_ctx = 2;
    options.mapped = true;
    const Session weights(model, options);
    Session context(weights, options_of(n, document.type));
    const Reference r = make_reference(context, text, n);
    for (int i = 9; i < argc; i++) {
        const std::string what = argv[i];
        if (what.find('@') != std::string::npos)
            measure_rival(context, r, profile, document, what);
        else if (what == "q8_0" || what == "q4_0")
            measure_engine_type(weights, r, document, what);
        else
            measure_lossy(context, r, profile, document, std::atoi(argv[i]));
    }
}

}  // namespace
}  // namespace ech0

int main(int argc, char** argv) {
    try {
        const std::string command = argc > 1 ? argv[1] : "";
        if (command == "profile" && argc == 4)
            ech0::learn(argv[2], argv[3]);
        else if (command == "peer" && argc == 7)
            ech0::learn_rival(argv);
        else if (command == "measure" && argc > 9)
            ech0::measure_document(argc, argv);
        else
            throw ech0::UsageError(
                "kv_lossy profile MODEL OUT | peer MODEL PROFILE SPAN RANK OUT | "
                "measure MODEL PROFILE TEXT OFFSET N TYPE NAME WHAT...");
    } catch (const std::exception& e) {
        std::cerr << "kv_lossy: " << e.what() << "\n";
        return 2;
    }
}
