#include "kv/pack.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <ggml.h>

#include "base/bytes.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "kv/lossy.h"
#include "kv/mixed_bits.h"
#include "kv/row_block.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

static_assert(static_cast<uint8_t>(EkvCodec::bytes) == static_cast<uint8_t>(RowCodec::bytes));

int threads_of(int n_threads) { return n_threads > 0 ? n_threads : default_threads(); }

std::string_view text_of(std::span<const uint8_t> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Ekv head_of(EkvContent content, std::span<const uint8_t> bytes, const KvPackOptions& options) {
    Ekv ekv;
    ekv.content = content;
    ekv.content_bytes = static_cast<int64_t>(bytes.size());
    ekv.model_name = options.model_name;
    ekv.model_sha256 = options.model_sha256;
    ekv.engine = engine_commit();
    ekv.created_s =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    ekv.conversation = options.conversation;
    return ekv;
}

void require_same(const RowBlock& block, const PackedRows& packed, std::span<const uint8_t> data) {
    std::vector<uint8_t> again(data.size());
    unpack_rows(block, packed.codec, packed.bytes, again);
    if (!std::equal(again.begin(), again.end(), data.begin()))
        throw Error(fmt::format("{} does not unpack to what was packed; this is a fault of ech0, please report it",
                                block.name));
}

/// A few blocks at a time, so that memory holds only those.
void add_rows(EkvWriter& writer, std::span<const uint8_t> bytes, const std::vector<RowBlock>& blocks,
              const KvPackOptions& options) {
    const int n_threads = threads_of(options.n_threads);
    std::vector<PackedRows> packed(static_cast<size_t>(n_threads));
    const auto n = static_cast<int64_t>(blocks.size());
    for (int64_t first = 0; first < n; first += n_threads) {
        check_interrupt();
        if (options.progress) options.progress("kv pack", first, n);
        const int64_t count = std::min<int64_t>(n_threads, n - first);
        parallel_for(count, n_threads, [&](int64_t i) {
            const RowBlock& block = blocks[static_cast<size_t>(first + i)];
            const auto data =
                bytes.subspan(static_cast<size_t>(block.offset_bytes), static_cast<size_t>(block.size_bytes()));
            PackedRows& here = packed[static_cast<size_t>(i)];
            here = options.stored ? PackedRows{RowCodec::stored, std::string(text_of(data))} : pack_rows(block, data);
            if (options.check) require_same(block, here, data);
        });
        for (int64_t i = 0; i < count; i++)
            writer.add(static_cast<EkvCodec>(packed[static_cast<size_t>(i)].codec),
                       packed[static_cast<size_t>(i)].bytes);
    }
}

/// The bytes that a cache unpacks to.
std::string restored(const KvProfile& profile, const KvState& state, std::span<const uint8_t> bytes,
                     const LossyCache& cache, int n_threads) {
    std::string out(text_of(bytes));
    unpack_lossy(profile, state, cache, n_threads, {reinterpret_cast<uint8_t*>(out.data()), out.size()});
    return out;
}

LossyCache pack_as_wished(const Ekv& ekv, const KvLossWish& wish, const KvState& state, std::span<const uint8_t> bytes,
                          int n_threads) {
    const KvProfile& profile = *wish.profile;
    if (wish.kl_divergence > 0)
        return pack_lossy_to_divergence(profile, state, bytes, wish.kl_divergence, n_threads,
                                        [&](std::span<const uint8_t> s) { return wish.measure(s).kl_divergence; });
    const int64_t besides = ekv_overhead_bytes(ekv, profile.layers.size() + (wish.profile_bytes.empty() ? 0 : 1)) +
                            static_cast<int64_t>(wish.profile_bytes.size());
    const auto whole = static_cast<int64_t>(std::floor(static_cast<double>(bytes.size()) / wish.ratio));
    if (whole <= besides)
        throw UsageError(
            fmt::format("a ratio of {}: {} bytes, of which counts, tokens{} and index take {}; ask for a "
                        "smaller one",
                        wish.ratio, whole, wish.profile_bytes.empty() ? "" : ", profile", besides));
    return pack_lossy_to_size(profile, state, bytes, whole - besides, n_threads);
}

void add_lossy(EkvWriter& writer, Ekv& ekv, const KvState& state, std::span<const uint8_t> bytes, std::string_view name,
               const KvPackOptions& options) {
    const KvLossWish& wish = *options.loss;
    const int n_threads = threads_of(options.n_threads);
    check_lossy(state, *wish.profile, name);
    ekv.loss.emplace().profile_sha256 = sha256(serialized(*wish.profile));
    const LossyCache cache = pack_as_wished(ekv, wish, state, bytes, n_threads);
    ekv.loss->step = cache.step;
    if (wish.measure) {
        const std::string other = restored(*wish.profile, state, bytes, cache, n_threads);
        const KvDivergence found = wish.measure(bytes_of(other));
        ekv.loss->kl_divergence = found.kl_divergence;
        ekv.loss->n_measured = found.n_tokens;
        ekv.loss->n_same_top1 = found.n_same_top1;
        ekv.loss->n_greedy_equal = found.n_greedy_equal;
        ekv.loss->n_greedy = found.n_greedy;
    }
    for (const std::string& layer : cache.layers) writer.add(EkvCodec::lossy, layer);
    if (!wish.profile_bytes.empty()) writer.add(EkvCodec::profile, wish.profile_bytes);
}

// What the blocks of an .ekv must be.
struct Layout {
    KvState state;
    std::vector<RowBlock> rows;
    int64_t n_layer = 0;  // lossy
};

bool has_profile(const Ekv& ekv) { return !ekv.blocks.empty() && ekv.blocks.back().codec == EkvCodec::profile; }

std::vector<RowBlock> plain_blocks(const Ekv& ekv) {
    constexpr int64_t most_columns = int64_t{1} << 24;
    if (ekv.type < 0 || ekv.type >= GGML_TYPE_COUNT || ggml_blck_size(static_cast<ggml_type>(ekv.type)) < 1)
        throw FormatError(fmt::format("rows of type {}, which this engine does not know", ekv.type));
    if (ekv.n_columns < 1 || ekv.n_columns > most_columns)
        throw FormatError(fmt::format("rows of {} numbers", ekv.n_columns));
    return row_blocks(ekv.type, ekv.n_columns, ekv.content_bytes);
}

/// Rows that are claimed and have no block: found before they are listed.
void require_enough_blocks(const Ekv& ekv) {
    constexpr int64_t least_full_block = int64_t{16} << 20;  // whole rows, up to 32 MiB, fill half of that at least
    if (!ekv.loss && ekv.content_bytes / least_full_block > static_cast<int64_t>(ekv.blocks.size()))
        throw FormatError(fmt::format("{} blocks can't hold {} bytes", ekv.blocks.size(), ekv.content_bytes));
}

Layout layout_of(const Ekv& ekv) {
    require_enough_blocks(ekv);
    Layout layout;
    if (ekv.content == EkvContent::rows) {
        layout.rows = plain_blocks(ekv);
    } else {
        layout.state = read_kv_frame(ekv.frame, ekv.content_bytes, "its state");
        if (ekv.loss)
            layout.n_layer = static_cast<int64_t>(layout.state.caches.at(0).streams.at(0).k.size());
        else
            layout.rows = row_blocks(layout.state);
    }
    const size_t wanted = static_cast<size_t>(layout.n_layer) + layout.rows.size() + (has_profile(ekv) ? 1 : 0);
    if (ekv.blocks.size() != wanted || (ekv.loss && ekv.content != EkvContent::state))
        throw FormatError(fmt::format("{} blocks, its content has {}", ekv.blocks.size(), wanted));
    return layout;
}

Layout named_layout(const Ekv& ekv, std::string_view name) try { return layout_of(ekv); } catch (Error& error) {
    error.add_context(printable(name));
    throw;
}

std::string block_name(const Layout& layout, size_t i) {
    if (i < layout.rows.size()) return layout.rows[i].name;
    return static_cast<int64_t>(i) < layout.n_layer ? fmt::format("layer {}", i) : "profile";
}

/// Passes on what comes and the parts of the frame that belong between.
class Assembly {
public:
    Assembly(const Ekv& ekv, const KvSink& sink) : ekv_(ekv), sink_(sink) {}

    void put(const RowBlock& block, std::span<const uint8_t> data) {
        put_frame(block.offset_bytes - at_);
        pass(data);
    }
    void finish(std::string_view name) {
        put_frame(static_cast<int64_t>(ekv_.frame.size() - in_frame_));
        if (!ekv_.content_sha256.empty() && sum_.hex() != ekv_.content_sha256)
            throw FormatError(fmt::format("{}: what it unpacks to has another SHA-256 than what was packed: damaged",
                                          printable(name)));
    }

private:
    void put_frame(int64_t n) {
        if (n == 0) return;
        pass(bytes_of(std::string_view(ekv_.frame).substr(in_frame_, static_cast<size_t>(n))));
        in_frame_ += static_cast<size_t>(n);
    }
    void pass(std::span<const uint8_t> data) {
        sum_.update(data.data(), data.size());
        sink_(data);
        at_ += static_cast<int64_t>(data.size());
    }

    const Ekv& ekv_;
    const KvSink& sink_;
    Sha256 sum_;
    int64_t at_ = 0;
    size_t in_frame_ = 0;
};

void unpack_row_blocks(std::span<const uint8_t> file, const Ekv& ekv, const Layout& layout, std::string_view name,
                       const KvUnpackOptions& options, const KvSink& sink) {
    const int n_threads = threads_of(options.n_threads);
    std::vector<std::vector<uint8_t>> rows(static_cast<size_t>(n_threads));
    Assembly assembly(ekv, sink);
    const auto n = static_cast<int64_t>(layout.rows.size());
    for (int64_t first = 0; first < n; first += n_threads) {
        check_interrupt();
        if (options.progress) options.progress("kv unpack", first, n);
        const int64_t count = std::min<int64_t>(n_threads, n - first);
        parallel_for(count, n_threads, [&](int64_t i) {
            const auto at = static_cast<size_t>(first + i);
            const RowBlock& block = layout.rows[at];
            const std::string_view packed = ekv_block(file, ekv, at, name, block.name);
            rows[static_cast<size_t>(i)].resize(static_cast<size_t>(block.size_bytes()));
            unpack_rows(block, static_cast<RowCodec>(ekv.blocks[at].codec), packed, rows[static_cast<size_t>(i)]);
        });
        for (int64_t i = 0; i < count; i++)
            assembly.put(layout.rows[static_cast<size_t>(first + i)], rows[static_cast<size_t>(i)]);
    }
    assembly.finish(name);
}

KvProfile profile_for(std::span<const uint8_t> file, const Ekv& ekv, std::string_view name,
                      const KvUnpackOptions& options) {
    if (has_profile(ekv)) {
        const std::string_view bytes = ekv_block(file, ekv, ekv.blocks.size() - 1, name, "profile");
        if (sha256(bytes) != ekv.loss->profile_sha256)
            throw FormatError(fmt::format("{}: it carries another profile than it was packed with", printable(name)));
        return parse_kv_profile(bytes, name);
    }
    if (!options.find_profile)
        throw UsageError(
            fmt::format("{}: packed with loss; name its model (--model), whose KV profile is needed", printable(name)));
    return options.find_profile(ekv);
}

void unpack_lossy_blocks(std::span<const uint8_t> file, const Ekv& ekv, const Layout& layout, std::string_view name,
                         const KvUnpackOptions& options, const KvSink& sink) {
    const KvProfile profile = profile_for(file, ekv, name, options);
    check_lossy(layout.state, profile, name);
    LossyCache cache;
    cache.step = ekv.loss->step;
    for (int64_t l = 0; l < layout.n_layer; l++)
        cache.layers.emplace_back(ekv_block(file, ekv, static_cast<size_t>(l), name, fmt::format("layer {}", l)));
    // Numbers that cost nothing would be a claim on memory; even the coarsest steps stay ten times below this.
    constexpr int64_t most_ratio = 1000;
    if (cache.size_bytes() < ekv.content_bytes / most_ratio)
        throw FormatError(fmt::format("{}: {} bytes of coefficients can't hold {} of numbers", printable(name),
                                      cache.size_bytes(), ekv.content_bytes));
    std::string state(static_cast<size_t>(ekv.content_bytes), '\0');
    int64_t in_frame = 0, at = 0;
    const auto put_frame = [&](int64_t n) {
        std::memcpy(state.data() + at, ekv.frame.data() + in_frame, static_cast<size_t>(n));
        in_frame += n;
        at += n;
    };
    for (const KvTensor* t : kv_tensors(layout.state)) {
        put_frame(t->offset_bytes - at);
        at += t->size_bytes;
    }
    put_frame(static_cast<int64_t>(ekv.frame.size()) - in_frame);
    unpack_lossy(profile, layout.state, cache, threads_of(options.n_threads),
                 {reinterpret_cast<uint8_t*>(state.data()), state.size()});
    sink(bytes_of(state));
}

}  // namespace

Ekv pack_state(std::span<const uint8_t> bytes, std::string_view name, const std::filesystem::path& target,
               const KvPackOptions& options) {
    const KvState state = read_kv_state(bytes, name);
    Ekv ekv = head_of(EkvContent::state, bytes, options);
    ekv.frame = kv_frame(state);
    EkvWriter writer(target);
    if (options.loss != nullptr) {
        add_lossy(writer, ekv, state, bytes, name, options);
    } else {
        ekv.content_sha256 = sha256(text_of(bytes));
        add_rows(writer, bytes, row_blocks(state), options);
    }
    if (options.before_naming) options.before_naming();
    writer.finish(ekv);
    return ekv;
}

Ekv pack_plain_rows(std::span<const uint8_t> bytes, int32_t type, int64_t n_columns,
                    const std::filesystem::path& target, const KvPackOptions& options) {
    const std::vector<RowBlock> blocks = row_blocks(type, n_columns, static_cast<int64_t>(bytes.size()));
    Ekv ekv = head_of(EkvContent::rows, bytes, options);
    ekv.content_sha256 = sha256(text_of(bytes));
    ekv.type = type;
    ekv.n_columns = n_columns;
    EkvWriter writer(target);
    add_rows(writer, bytes, blocks, options);
    if (options.before_naming) options.before_naming();
    writer.finish(ekv);
    return ekv;
}

void unpack(std::span<const uint8_t> file, const Ekv& ekv, std::string_view name, const KvUnpackOptions& options,
            const KvSink& sink) {
    if (!options.model_sha256.empty() && !ekv.model_sha256.empty() && options.model_sha256 != ekv.model_sha256)
        throw UsageError(
            fmt::format("{}: a cache of {} (SHA-256 {}…), not of this model ({}…); even another "
                        "quantization has other caches",
                        printable(name), printable(ekv.model_name), ekv.model_sha256.substr(0, 12),
                        options.model_sha256.substr(0, 12)));
    const Layout layout = named_layout(ekv, name);
    if (ekv.loss)
        unpack_lossy_blocks(file, ekv, layout, name, options, sink);
    else
        unpack_row_blocks(file, ekv, layout, name, options, sink);
}

std::vector<std::string> block_names(const Ekv& ekv, std::string_view name) {
    const Layout layout = named_layout(ekv, name);
    std::vector<std::string> names;
    for (size_t i = 0; i < ekv.blocks.size(); i++) names.push_back(block_name(layout, i));
    return names;
}

}  // namespace ech0
