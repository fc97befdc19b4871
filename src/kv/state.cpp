#include "kv/state.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>
#include <llama.h>

#include "base/bytes.h"
#include "base/text.h"
#include "ech0/error.h"
#include "model/metadata.h"

// The layout (llama.cpp 4df29be: llama-context.cpp, llama-kv-cache.cpp; all numbers little-endian):
//
//   session    magic 'ggsn' u32, version u32, n_tokens u32, tokens i32, architecture string, caches
//   sequence   magic 'ggsq' u32, version u32, n_tokens u32, tokens i32, caches         string = length u32, bytes
//   buffer     magic af143cd8 u32, sequence i32, caches
//   cache      n_stream u32, streams
//   stream     n_cells u32; if any: cells, v_transposed u32, n_layer u32, K of each layer, V of each layer
//   cell       pos i32, n_seq u32, [y-x place 2 x i32,] n_seq x sequence i32
//   K, V       type i32, row_bytes u64, n_cells rows
//   V^T        type i32, element_bytes u32, n_elements u32, n_elements x n_cells elements
//
// It does not say how many caches follow, whether cells have places, or whether V is there: that follows from the
// model. So each possibility is tried, and the one that fits all bytes to the last is it; the checks on the way (types,
// row sizes, sequences) leave no room for a second.

namespace ech0 {
namespace {

static_assert(std::endian::native == std::endian::little, "states are read as they lie in the file");

constexpr uint32_t buffer_magic = 0xaf143cd8;     // io_magic in llama-context.cpp
constexpr uint32_t deepseek4_magic = 0x34565344;  // DSV4_STATE_MAGIC in llama-kv-cache-dsv4.cpp
constexpr uint32_t most_sequences = 256;          // LLAMA_MAX_SEQ
constexpr uint32_t most_layers = 512;             // LLAMA_MAX_LAYERS
constexpr size_t most_caches = 2;
constexpr uint64_t most_elements = uint64_t{1} << 24;  // of one cell in one layer; the largest models have 2^14

// Why one way of reading did not fit, and how far it came: of several, the one that came furthest explains most.
struct Misfit {
    int64_t n_tensors = -1;
    std::string what;
};

// Moves through a state and refuses to leave it. In a frame the numbers of K and V are missing: they are passed over
// without bytes, as long as the whole stays within the size that it had.
class Cursor {
public:
    Cursor(std::span<const uint8_t> bytes, int64_t size_bytes, bool is_frame)
        : bytes_(bytes), size_bytes_(size_bytes), is_frame_(is_frame) {}

    int64_t at() const { return static_cast<int64_t>(next_) + hole_bytes_; }
    bool at_end() const { return next_ == bytes_.size() && at() == size_bytes_; }
    int64_t left_bytes() const { return static_cast<int64_t>(bytes_.size() - next_); }

    template <typename T>
    T read(std::string_view thing) {
        T value;
        std::memcpy(&value, take(sizeof(T), thing), sizeof(T));
        return value;
    }

    const uint8_t* take(uint64_t size, std::string_view thing) {
        if (size > static_cast<uint64_t>(left_bytes())) throw ends(size, thing);
        const uint8_t* const here = bytes_.data() + next_;
        next_ += static_cast<size_t>(size);
        return here;
    }

    /// K or V: rows x row_bytes, which may not overflow.
    int64_t skip_data(uint64_t rows, uint64_t row_bytes, std::string_view thing) {
        const uint64_t room =
            is_frame_ ? static_cast<uint64_t>(size_bytes_ - static_cast<int64_t>(bytes_.size()) - hole_bytes_)
                      : static_cast<uint64_t>(left_bytes());
        if (row_bytes != 0 && rows > room / row_bytes) throw ends(rows * row_bytes, thing);
        n_tensors_++;
        const int64_t size = static_cast<int64_t>(rows * row_bytes);
        if (is_frame_)
            hole_bytes_ += size;
        else
            next_ += static_cast<size_t>(size);
        return size;
    }

    Misfit misfit(std::string what) const { return {n_tensors_, std::move(what)}; }

private:
    Misfit ends(uint64_t size, std::string_view thing) const {
        return misfit(
            fmt::format("the state ends at byte {}, inside {}, which needs {} bytes from byte {}: it is "
                        "incomplete (is it still being written?) or damaged",
                        size_bytes_, thing, size, at()));
    }

    std::span<const uint8_t> bytes_;
    size_t next_ = 0;
    int64_t hole_bytes_ = 0, n_tensors_ = 0;
    int64_t size_bytes_;
    bool is_frame_;
};

std::string type_shown(int32_t type) {
    return type >= 0 && type < GGML_TYPE_COUNT && ggml_blck_size(static_cast<ggml_type>(type)) > 0
               ? ggml_type_name(static_cast<ggml_type>(type))
               : fmt::format("type {}", type);
}

void check_type(const Cursor& cursor, int32_t type, std::string_view thing) {
    if (type < 0 || type >= GGML_TYPE_COUNT || ggml_blck_size(static_cast<ggml_type>(type)) < 1)
        throw cursor.misfit(fmt::format("{} has type {}, which this engine does not know", thing, type));
}

KvTensor read_rows(Cursor& cursor, size_t n_cells, const std::string& thing) {
    KvTensor t;
    t.type = cursor.read<int32_t>(thing);
    check_type(cursor, t.type, thing);
    const uint64_t row_bytes = cursor.read<uint64_t>(thing);
    const uint64_t block_bytes = ggml_type_size(static_cast<ggml_type>(t.type));
    const uint64_t block = static_cast<uint64_t>(ggml_blck_size(static_cast<ggml_type>(t.type)));
    if (row_bytes % block_bytes != 0 || row_bytes / block_bytes > most_elements / block) {
        throw cursor.misfit(fmt::format("{} has rows of {} bytes, no whole number of {} blocks ({} bytes each)", thing,
                                        row_bytes, type_shown(t.type), block_bytes));
    }
    t.row_bytes = static_cast<int64_t>(row_bytes);
    t.n_elements = static_cast<int64_t>(row_bytes / block_bytes * block);
    t.offset_bytes = cursor.at();
    t.size_bytes = cursor.skip_data(n_cells, row_bytes, thing);
    return t;
}

KvTensor read_transposed(Cursor& cursor, size_t n_cells, const std::string& thing) {
    KvTensor t;
    t.transposed = true;
    t.type = cursor.read<int32_t>(thing);
    check_type(cursor, t.type, thing);
    const uint32_t element_bytes = cursor.read<uint32_t>(thing), n_elements = cursor.read<uint32_t>(thing);
    if (ggml_blck_size(static_cast<ggml_type>(t.type)) != 1 ||
        element_bytes != ggml_type_size(static_cast<ggml_type>(t.type)) || n_elements > most_elements) {
        throw cursor.misfit(fmt::format("{} is transposed, {} elements of {} in {} bytes each: no layout of the engine",
                                        thing, n_elements, type_shown(t.type), element_bytes));
    }
    t.element_bytes = element_bytes;
    t.n_elements = n_elements;
    t.offset_bytes = cursor.at();
    t.size_bytes = cursor.skip_data(n_elements, static_cast<uint64_t>(n_cells) * element_bytes, thing);
    return t;
}

// What may be one of several layouts, and which of them is tried.
struct Layout {
    KvStateKind kind;
    bool has_places;
    bool has_v;
};

void read_cells(Cursor& cursor, uint32_t n_cells, const Layout& layout, KvStream& stream) {
    const int64_t least_bytes = layout.has_places ? 20 : 12;
    if (n_cells > cursor.left_bytes() / least_bytes) {
        throw cursor.misfit(
            fmt::format("the state claims {} cells, more than the {} bytes that are left can hold: it "
                        "is incomplete (is it still being written?) or damaged",
                        n_cells, cursor.left_bytes()));
    }
    stream.cells.reserve(n_cells);
    for (uint32_t i = 0; i < n_cells; i++) {
        KvCell cell;
        cell.pos = cursor.read<int32_t>("a cell");
        const uint32_t n_seq = cursor.read<uint32_t>("a cell");
        if (cell.pos < 0) throw cursor.misfit(fmt::format("cell {} has position {}", i, cell.pos));
        if (n_seq < 1 || n_seq > (layout.kind == KvStateKind::session ? most_sequences : 1))
            throw cursor.misfit(fmt::format("cell {} belongs to {} sequences", i, n_seq));
        if (layout.has_places) cell.x = cursor.read<int32_t>("a cell"), cell.y = cursor.read<int32_t>("a cell");
        cell.first_seq = static_cast<int32_t>(stream.seq_ids.size());
        cell.n_seq = static_cast<int32_t>(n_seq);
        for (uint32_t j = 0; j < n_seq; j++) {
            stream.seq_ids.push_back(cursor.read<int32_t>("a cell"));
            if (stream.seq_ids.back() < 0 || stream.seq_ids.back() >= static_cast<int32_t>(most_sequences))
                throw cursor.misfit(fmt::format("cell {} belongs to sequence {}", i, stream.seq_ids.back()));
        }
        stream.cells.push_back(cell);
    }
}

KvStream read_stream(Cursor& cursor, const Layout& layout) {
    KvStream stream;
    const uint32_t n_cells = cursor.read<uint32_t>("the number of cells");
    if (n_cells == 0) return stream;
    read_cells(cursor, n_cells, layout, stream);
    const uint32_t v_transposed = cursor.read<uint32_t>("the form of V");
    if (v_transposed > 1) throw cursor.misfit(fmt::format("the form of V is {}, wanted 0 or 1", v_transposed));
    stream.v_transposed = v_transposed == 1;
    const uint32_t n_layer = cursor.read<uint32_t>("the number of layers");
    if (n_layer < 1 || n_layer > most_layers)
        throw cursor.misfit(fmt::format("the state has {} layers, wanted 1 to {}", n_layer, most_layers));
    for (uint32_t i = 0; i < n_layer; i++)
        stream.k.push_back(read_rows(cursor, n_cells, fmt::format("K of layer {}", i)));
    for (uint32_t i = 0; i < n_layer && layout.has_v; i++) {
        const std::string thing = fmt::format("V of layer {}", i);
        stream.v.push_back(stream.v_transposed ? read_transposed(cursor, n_cells, thing)
                                               : read_rows(cursor, n_cells, thing));
    }
    return stream;
}

bool alike(const std::vector<KvTensor>& a, const std::vector<KvTensor>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const KvTensor& x, const KvTensor& y) {
        return x.type == y.type && x.n_elements == y.n_elements;
    });
}

KvCache read_cache(Cursor& cursor, const Layout& layout) {
    KvCache cache;
    const uint32_t n_stream = cursor.read<uint32_t>("the number of streams");
    if (n_stream < 1 || n_stream > most_sequences)
        throw cursor.misfit(fmt::format("the state has {} streams, wanted 1 to {}", n_stream, most_sequences));
    const KvStream* first = nullptr;
    cache.streams.reserve(n_stream);
    for (uint32_t i = 0; i < n_stream; i++) {
        cache.streams.push_back(read_stream(cursor, layout));
        const KvStream& stream = cache.streams.back();
        if (stream.cells.empty()) continue;
        if (first == nullptr) first = &stream;
        if (!alike(stream.k, first->k) || !alike(stream.v, first->v) || stream.v_transposed != first->v_transposed)
            throw cursor.misfit(fmt::format("stream {} has layers of another form than the first", i));
    }
    return cache;
}

// Does what follows look like llama-memory-recurrent.cpp's: cells without sequences, then R and S of each layer?
bool is_recurrent(Cursor cursor) {
    try {
        const uint32_t n_cells = cursor.read<uint32_t>("");
        if (n_cells < 1 || n_cells > most_sequences) return false;
        for (uint32_t i = 0; i < n_cells; i++) {
            cursor.read<int32_t>("");
            const uint32_t n_seq = cursor.read<uint32_t>("");
            if (n_seq > most_sequences) return false;
            cursor.take(n_seq * sizeof(int32_t), "");
        }
        if (cursor.read<uint32_t>("") > 1) return false;
        const uint32_t n_layer = cursor.read<uint32_t>("");
        if (n_layer < 1 || n_layer > most_layers) return false;
        for (uint32_t i = 0; i < 2 * n_layer && !cursor.at_end(); i++) read_rows(cursor, n_cells, "");
        return cursor.at_end();
    } catch (const Misfit&) {
        return false;
    }
}

// One attempt after another, see above.
class CacheReader {
public:
    explicit CacheReader(KvStateKind kind) : kind_(kind) {}

    bool read(const Cursor& cursor, KvState& state) {
        for (const bool has_places : {false, true}) {
            state.has_places = has_places;
            if (read_from(cursor, has_places, state.caches)) return true;
        }
        return false;
    }

    const Misfit& misfit() const { return misfit_; }
    bool recurrent() const { return recurrent_; }

private:
    bool read_from(const Cursor& from, bool has_places, std::vector<KvCache>& caches) {
        if (from.at_end() && !caches.empty()) return true;
        recurrent_ = recurrent_ || is_recurrent(from);
        if (caches.size() == most_caches) {
            note(from.misfit(fmt::format("after the caches, at byte {}, something follows", from.at())));
            return false;
        }
        for (const bool has_v : {true, false}) {
            Cursor cursor = from;
            try {
                caches.push_back(read_cache(cursor, {kind_, has_places, has_v}));
            } catch (Misfit& misfit) {
                note(std::move(misfit));
                continue;
            }
            if (read_from(cursor, has_places, caches)) return true;
            caches.pop_back();
        }
        return false;
    }

    void note(Misfit misfit) {
        if (misfit.n_tensors > misfit_.n_tensors) misfit_ = std::move(misfit);
    }

    KvStateKind kind_;
    Misfit misfit_;
    bool recurrent_ = false;
};

void check_version(std::string_view what, uint32_t found, uint32_t wanted) {
    if (found == wanted) return;
    throw FormatError(
        fmt::format("a {} file of version {}; this engine writes and reads {} only: save the state again "
                    "with a llama.cpp that has that version",
                    what, found, wanted));
}

void read_tokens(Cursor& cursor, KvState& state) {
    const uint32_t n_tokens = cursor.read<uint32_t>("the number of tokens");
    const uint8_t* const tokens = cursor.take(uint64_t{n_tokens} * sizeof(int32_t), "the tokens");
    state.tokens.resize(n_tokens);
    if (n_tokens > 0) std::memcpy(state.tokens.data(), tokens, state.tokens.size() * sizeof(int32_t));
}

void read_architecture(Cursor& cursor, KvState& state) {
    const uint32_t size = cursor.read<uint32_t>("the architecture's name");
    if (size < 1 || size > 64) throw cursor.misfit(fmt::format("an architecture's name of {} bytes", size));
    const uint8_t* const name = cursor.take(size, "the architecture's name");
    state.architecture.assign(reinterpret_cast<const char*>(name), size);
}

void read_head(Cursor& cursor, KvState& state) {
    const uint32_t magic = cursor.read<uint32_t>("the magic number");
    if (magic == LLAMA_SESSION_MAGIC || magic == LLAMA_STATE_SEQ_MAGIC) {
        const bool is_session = magic == LLAMA_SESSION_MAGIC;
        state.kind = is_session ? KvStateKind::session : KvStateKind::sequence;
        state.version = cursor.read<uint32_t>("the version");
        check_version(is_session ? "session" : "sequence state", state.version,
                      is_session ? LLAMA_SESSION_VERSION : LLAMA_STATE_SEQ_VERSION);
        read_tokens(cursor, state);
        if (is_session) read_architecture(cursor, state);
    } else if (magic == buffer_magic) {
        state.kind = KvStateKind::buffer;
        state.seq_id = cursor.read<int32_t>("the sequence");
    } else {
        throw FormatError(
            fmt::format("begins with {:08x}; a state of llama.cpp begins with {:08x} (session), {:08x} "
                        "(sequence, slot) or {:08x} (sequence in memory)",
                        magic, LLAMA_SESSION_MAGIC, LLAMA_STATE_SEQ_MAGIC, buffer_magic));
    }
}

// The first four bytes of the memory, if that many are left.
std::optional<uint32_t> peek(Cursor cursor) {
    return cursor.left_bytes() < 4 ? std::nullopt : std::optional<uint32_t>(cursor.read<uint32_t>(""));
}

KvState read_state(Cursor cursor, int64_t size_bytes) {
    KvState state;
    state.size_bytes = size_bytes;
    read_head(cursor, state);
    if (peek(cursor) == deepseek4_magic)
        throw FormatError("memory of DeepSeek V4 (compressed, with indexer and states): only K and V caches are read");
    if (cursor.at_end()) throw FormatError("holds no KV cache");
    CacheReader caches(state.kind);
    if (caches.read(cursor, state)) return state;
    if (caches.recurrent()) {
        throw FormatError(
            fmt::format("memory of a recurrent or hybrid model{}: its states are no K and V, and only "
                        "those are read",
                        state.architecture.empty() ? "" : " (" + printable(state.architecture) + ")"));
    }
    throw caches.misfit();
}

KvState read_named(const Cursor& cursor, int64_t size_bytes, std::string_view name) {
    try {
        return read_state(cursor, size_bytes);
    } catch (const Misfit& misfit) {
        throw FormatError(fmt::format("{}: {}", name, misfit.what));
    } catch (Error& error) {
        error.add_context(name);
        throw;
    }
}

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

std::string head_of(const KvState& state) {
    std::string out;
    if (state.kind == KvStateKind::buffer) {
        put(out, buffer_magic);
        put(out, state.seq_id);
        return out;
    }
    const bool is_session = state.kind == KvStateKind::session;
    put<uint32_t>(out, is_session ? LLAMA_SESSION_MAGIC : LLAMA_STATE_SEQ_MAGIC);
    put(out, state.version);
    put(out, static_cast<uint32_t>(state.tokens.size()));
    for (const int32_t token : state.tokens) put(out, token);
    if (!is_session) return out;
    put(out, static_cast<uint32_t>(state.architecture.size()));
    return out + state.architecture;
}

void put_tensor(std::string& out, const KvTensor& t) {
    put(out, t.type);
    if (t.transposed) {
        put(out, static_cast<uint32_t>(t.element_bytes));
        put(out, static_cast<uint32_t>(t.n_elements));
    } else {
        put(out, static_cast<uint64_t>(t.row_bytes));
    }
}

void put_stream(std::string& out, const KvStream& stream, bool has_places) {
    put(out, static_cast<uint32_t>(stream.cells.size()));
    if (stream.cells.empty()) return;
    for (const KvCell& cell : stream.cells) {
        put(out, cell.pos);
        put(out, static_cast<uint32_t>(cell.n_seq));
        if (has_places) put(out, cell.x), put(out, cell.y);
        for (int32_t i = 0; i < cell.n_seq; i++)
            put(out, stream.seq_ids[static_cast<size_t>(cell.first_seq) + static_cast<size_t>(i)]);
    }
    put(out, static_cast<uint32_t>(stream.v_transposed ? 1 : 0));
    put(out, static_cast<uint32_t>(stream.k.size()));
    for (const KvTensor& t : stream.k) put_tensor(out, t);
    for (const KvTensor& t : stream.v) put_tensor(out, t);
}

// The stream that shows what a cache's layers are like: the first with cells.
const KvStream* shown_stream(const KvCache& cache) {
    const auto found = std::find_if(cache.streams.begin(), cache.streams.end(),
                                    [](const KvStream& stream) { return !stream.cells.empty(); });
    return found == cache.streams.end() ? nullptr : &*found;
}

// Keys of models whose layers keep something else than head size x KV heads, or nothing at all.
bool has_unusual_layers(const Model& model) {
    const std::array keys = {"attention.key_length_swa", "attention.key_length_mla", "attention.shared_kv_layers",
                             "nextn_predict_layers", "attention.indexer.head_count"};
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) {
        return find_value(model.metadata, model.architecture + "." + key) != nullptr;
    });
}

void check_widths(std::vector<int64_t> found, std::vector<int64_t> wanted, std::string_view which, const Model& model,
                  std::string_view name) {
    // Which layer is in which cache is not written down, so their widths are compared as a set.
    std::sort(found.begin(), found.end());
    std::sort(wanted.begin(), wanted.end());
    const auto [f, w] = std::mismatch(found.begin(), found.end(), wanted.begin(), wanted.end());
    if (f == found.end() && w == wanted.end()) return;
    throw UsageError(fmt::format("{}: a layer's {} has {} elements per token, {} has {}: a state of another model",
                                 name, which, f == found.end() ? 0 : *f, printable(model.asked),
                                 w == wanted.end() ? 0 : *w));
}

}  // namespace

std::string_view kv_state_kind_name(KvStateKind kind) {
    constexpr std::array<std::string_view, 3> names = {"session", "sequence", "buffer"};
    return names[static_cast<size_t>(kind)];
}

int64_t KvState::n_cells() const {
    int64_t n = 0;
    if (!caches.empty())
        for (const KvStream& stream : caches[0].streams) n += static_cast<int64_t>(stream.cells.size());
    return n;
}

int64_t KvState::data_bytes() const {
    int64_t bytes = 0;
    for (const KvTensor* t : kv_tensors(*this)) bytes += t->size_bytes;
    return bytes;
}

std::vector<const KvTensor*> kv_tensors(const KvState& state) {
    std::vector<const KvTensor*> tensors;
    for (const KvCache& cache : state.caches) {
        for (const KvStream& stream : cache.streams) {
            for (const KvTensor& t : stream.k) tensors.push_back(&t);
            for (const KvTensor& t : stream.v) tensors.push_back(&t);
        }
    }
    return tensors;
}

KvState read_kv_state(std::span<const uint8_t> bytes, std::string_view name) {
    const int64_t size_bytes = static_cast<int64_t>(bytes.size());
    return read_named(Cursor(bytes, size_bytes, false), size_bytes, name);
}

KvState read_kv_frame(std::string_view frame, int64_t size_bytes, std::string_view name) {
    if (size_bytes < static_cast<int64_t>(frame.size()))
        throw FormatError(fmt::format("{}: a state of {} bytes, {} of them no K or V", name, size_bytes, frame.size()));
    const std::span<const uint8_t> bytes = bytes_of(frame);
    return read_named(Cursor(bytes, size_bytes, true), size_bytes, name);
}

std::string kv_frame(const KvState& state) {
    std::string out = head_of(state);
    for (const KvCache& cache : state.caches) {
        put(out, static_cast<uint32_t>(cache.streams.size()));
        for (const KvStream& stream : cache.streams) put_stream(out, stream, state.has_places);
    }
    return out;
}

std::string as_sequence_state(std::string_view buffer, std::span<const int32_t> tokens) {
    const std::span<const uint8_t> bytes = bytes_of(buffer);
    KvState state = read_kv_state(bytes, "the engine's state");
    if (state.kind != KvStateKind::buffer)
        throw FormatError(fmt::format("the engine's state is a {}, wanted a buffer", kv_state_kind_name(state.kind)));
    const size_t head_bytes = head_of(state).size();
    state.kind = KvStateKind::sequence;
    state.version = LLAMA_STATE_SEQ_VERSION;
    state.tokens.assign(tokens.begin(), tokens.end());
    return head_of(state) += buffer.substr(head_bytes);
}

std::string as_buffer(const KvState& state, std::span<const uint8_t> bytes, std::string_view name) {
    for (const KvCache& cache : state.caches) {
        for (const KvStream& stream : cache.streams) {
            const bool shared = std::any_of(stream.cells.begin(), stream.cells.end(),
                                            [](const KvCell& cell) { return cell.n_seq != 1; });
            const std::vector<int32_t>& ids = stream.seq_ids;
            if (cache.streams.size() != 1 || shared ||
                std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return id != ids.front(); }))
                throw UsageError(fmt::format("{}: a state of several sequences; one is wanted", name));
        }
    }
    const size_t head_bytes = head_of(state).size();
    KvState buffer;
    buffer.kind = KvStateKind::buffer;
    buffer.seq_id = 0;
    std::string out = head_of(buffer);
    return out.append(reinterpret_cast<const char*>(bytes.data()) + head_bytes, bytes.size() - head_bytes);
}

void check_kv_state(const KvState& state, const Model& model, std::string_view name) {
    if (!state.architecture.empty() && state.architecture != model.architecture) {
        throw UsageError(fmt::format("{}: a state of architecture {}, {} is {}: name the model it was made with", name,
                                     printable(state.architecture), printable(model.asked),
                                     printable(model.architecture)));
    }
    std::vector<int64_t> k, v, wanted_k, wanted_v;
    bool all_shown = true;
    for (const KvCache& cache : state.caches) {
        const KvStream* const stream = shown_stream(cache);
        all_shown = all_shown && stream != nullptr;
        if (stream == nullptr) continue;
        for (const KvTensor& t : stream->k) k.push_back(t.n_elements);
        for (const KvTensor& t : stream->v) v.push_back(t.n_elements);
    }
    const int64_t n_layer = static_cast<int64_t>(k.size());
    const bool unusual = has_unusual_layers(model) || !all_shown;
    if (n_layer > model.n_layer || (n_layer < model.n_layer && !unusual)) {
        throw UsageError(fmt::format("{}: a state of {} layers, {} has {}: a state of another model", name, n_layer,
                                     printable(model.asked), model.n_layer));
    }
    if (unusual) return;
    for (const int64_t n_kv : model.n_head_kv) {
        wanted_k.push_back(n_kv * model.n_embd_head_k);
        wanted_v.push_back(n_kv * model.n_embd_head_v);
    }
    check_widths(k, wanted_k, "K", model, name);
    check_widths(v, wanted_v, "V", model, name);
}

}  // namespace ech0
