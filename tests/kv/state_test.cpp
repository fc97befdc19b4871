#include "kv/state.h"

#include <doctest/doctest.h>
#include <llama.h>

#include <cstring>

#include "base/file.h"
#include "ech0/error.h"
#include "support/engine_state.h"
#include "support/temporary_folder.h"

using namespace ech0;

namespace {

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

KvState read(const std::string& bytes) { return read_kv_state(as_bytes(bytes), "s"); }

// What the reader says to these bytes; "" if it takes them.
std::string complaint(const std::string& bytes) {
    try {
        read(bytes);
    } catch (const FormatError& error) {
        return error.what();
    }
    return "";
}

template <typename T>
std::string raw(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

// The state with its K and V cut out, byte by byte: what a frame must be.
std::string without_data(const std::string& bytes, const KvState& state) {
    std::string out;
    int64_t at = 0;
    for (const KvTensor* t : kv_tensors(state)) {
        out += bytes.substr(static_cast<size_t>(at), static_cast<size_t>(t->offset_bytes - at));
        at = t->offset_bytes + t->size_bytes;
    }
    return out + bytes.substr(static_cast<size_t>(at));
}

void check_reads_back(const std::string& bytes) {
    const KvState state = read(bytes);
    CHECK(state.size_bytes == static_cast<int64_t>(bytes.size()));
    const std::string frame = kv_frame(state);
    CHECK(frame == without_data(bytes, state));
    CHECK(static_cast<int64_t>(frame.size()) + state.data_bytes() == state.size_bytes);

    const KvState again = read_kv_frame(frame, state.size_bytes, "f");
    CHECK(kv_frame(again) == frame);
    const auto tensors = kv_tensors(state), framed = kv_tensors(again);
    REQUIRE(tensors.size() == framed.size());
    for (size_t i = 0; i < tensors.size(); i++) {
        CHECK(tensors[i]->offset_bytes == framed[i]->offset_bytes);
        CHECK(tensors[i]->size_bytes == framed[i]->size_bytes);
    }
}

void check_all_kinds(const EngineStateOptions& options) {
    const EngineState bytes = make_engine_state(options);
    CHECK(read(bytes.session).kind == KvStateKind::session);
    CHECK(read(bytes.sequence).kind == KvStateKind::sequence);
    CHECK(read(bytes.buffer).kind == KvStateKind::buffer);
    for (const std::string* state : {&bytes.session, &bytes.sequence, &bytes.buffer}) check_reads_back(*state);
}

TinyModel tiny(const std::string& architecture, int64_t n_layer = 2) {
    TinyModel model;
    model.architecture = architecture;
    model.n_layer = n_layer;
    return model;
}

EngineStateOptions quantized(ggml_type type) {
    EngineStateOptions options;
    options.model.n_embd_head = 64;
    options.model.n_embd = 128, options.model.n_head = 2, options.model.n_head_kv = 1;
    options.type_k = options.type_v = type;
    return options;
}

// The smallest state by hand: one cell, one layer, K and V of two f16 elements.
struct HandMade {
    uint32_t magic = LLAMA_STATE_SEQ_MAGIC, version = LLAMA_STATE_SEQ_VERSION, n_tokens = 0, n_stream = 1, n_cells = 1;
    int32_t pos = 0;
    uint32_t n_seq = 1;
    int32_t seq = 0;
    uint32_t v_transposed = 0, n_layer = 1;
    int32_t type = GGML_TYPE_F16;
    uint64_t row_bytes = 4;
    uint32_t element_bytes = 2, n_elements = 2;

    std::string memory() const {
        const std::string rows = raw(type) + raw(row_bytes) + "abcd";
        const std::string columns = raw(type) + raw(element_bytes) + raw(n_elements) + "abcd";
        return raw(n_stream) + raw(n_cells) + raw(pos) + raw(n_seq) + raw(seq) + raw(v_transposed) + raw(n_layer) +
               raw(GGML_TYPE_F16) + raw(uint64_t{4}) + "ABCD" + (v_transposed == 1 ? columns : rows);
    }
    std::string bytes() const { return raw(magic) + raw(version) + raw(n_tokens) + memory(); }
};

}  // namespace

TEST_CASE("states of f16, with flash attention and with V transposed, are read and written byte by byte") {
    EngineStateOptions options;
    check_all_kinds(options);
    options.flash_attention = false;
    check_all_kinds(options);
}

TEST_CASE("states of quantized caches are read and written byte by byte") {
    for (const ggml_type type : {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q5_1, GGML_TYPE_IQ4_NL})
        check_all_kinds(quantized(type));
    EngineStateOptions mixed = quantized(GGML_TYPE_Q8_0);
    mixed.type_v = GGML_TYPE_Q4_0;
    check_all_kinds(mixed);
    const KvState state = read(make_engine_state(mixed).sequence);
    CHECK(state.caches[0].streams[0].k[0].type == GGML_TYPE_Q8_0);
    CHECK(state.caches[0].streams[0].v[1].type == GGML_TYPE_Q4_0);
    CHECK(state.caches[0].streams[0].v[1].n_elements == 64);
}

TEST_CASE("what a state holds is what went in") {
    EngineStateOptions options;
    options.flash_attention = false;
    const EngineState bytes = make_engine_state(options);
    const KvState state = read(bytes.session);
    CHECK(state.version == LLAMA_SESSION_VERSION);
    CHECK(state.architecture == "llama");
    CHECK(state.tokens.size() == 24);
    CHECK(state.tokens[0] == 5);
    CHECK(state.n_cells() == 24);
    CHECK_FALSE(state.has_places);
    REQUIRE(state.caches.size() == 1);
    REQUIRE(state.caches[0].streams.size() == 1);
    const KvStream& stream = state.caches[0].streams[0];
    for (int i = 0; i < 24; i++) CHECK(stream.cells[static_cast<size_t>(i)].pos == i);
    REQUIRE(stream.k.size() == 2);
    REQUIRE(stream.v.size() == 2);
    CHECK(stream.v_transposed);
    CHECK(stream.k[1].n_elements == 32);
    CHECK(stream.k[1].size_bytes == 24 * 64);
    CHECK(stream.v[1].transposed);
    CHECK(stream.v[1].n_elements == 32);
    CHECK(state.data_bytes() == 4 * 24 * 64);
    CHECK(read(bytes.buffer).seq_id == 0);
}

TEST_CASE("transposed V are the same numbers as plain V") {
    EngineStateOptions options;
    const std::string plain = make_engine_state(options).sequence;
    options.flash_attention = false;
    const std::string turned = make_engine_state(options).sequence;
    // Only the first layer: what enters the second depends on the kernel.
    const KvTensor v = read(plain).caches[0].streams[0].v[0];
    const KvTensor vt = read(turned).caches[0].streams[0].v[0];
    for (int64_t cell = 0; cell < 24; cell++) {
        for (int64_t j = 0; j < v.n_elements; j++) {
            CHECK(plain.substr(static_cast<size_t>(v.offset_bytes + cell * v.row_bytes + j * 2), 2) ==
                  turned.substr(static_cast<size_t>(vt.offset_bytes + (j * 24 + cell) * 2), 2));
        }
    }
}

TEST_CASE("a model with sliding windows has two caches, and the second keeps the window only") {
    EngineStateOptions options;
    options.model = tiny("gemma3", 6);
    options.n_tokens = 40;
    check_all_kinds(options);
    const KvState state = read(make_engine_state(options).sequence);
    REQUIRE(state.caches.size() == 2);
    CHECK(state.caches[0].streams[0].k.size() == 1);
    CHECK(state.caches[1].streams[0].k.size() == 5);
    CHECK(state.caches[0].streams[0].cells.size() == 40);
    CHECK(state.caches[1].streams[0].cells.size() < 40);
}

TEST_CASE("several sequences: in one stream, and in a stream each") {
    EngineStateOptions options;
    options.n_sequences = 2;
    check_all_kinds(options);
    const KvState shared = read(make_engine_state(options).session);
    REQUIRE(shared.caches[0].streams.size() == 1);
    CHECK(shared.n_cells() == 48);
    CHECK(shared.caches[0].streams[0].seq_ids[47] == 1);

    options.unified = false;
    options.n_ctx = 512;
    check_all_kinds(options);
    const EngineState bytes = make_engine_state(options);
    const KvState apart = read(bytes.session);
    REQUIRE(apart.caches[0].streams.size() == 2);
    CHECK(apart.n_cells() == 48);
    // Of one sequence the engine writes both streams, the other's empty.
    CHECK(read(bytes.sequence).n_cells() == 24);
}

TEST_CASE("what the writer gives, the engine restores") {
    const EngineStateOptions options = quantized(GGML_TYPE_Q8_0);
    const std::string bytes = make_engine_state(options).sequence;
    const KvState state = read(bytes);
    std::string frame = kv_frame(state), whole;
    size_t in_frame = 0;
    for (const KvTensor* t : kv_tensors(state)) {
        const size_t gap = static_cast<size_t>(t->offset_bytes) - whole.size();
        whole += frame.substr(in_frame, gap);
        in_frame += gap;
        whole += bytes.substr(static_cast<size_t>(t->offset_bytes), static_cast<size_t>(t->size_bytes));
    }
    CHECK(whole == bytes);
    CHECK(engine_restores_sequence(options, whole));
}

TEST_CASE("a state cut at any byte is refused, and so is one with a byte too many") {
    EngineStateOptions options;
    options.model.n_embd = 32, options.model.n_head = 2, options.model.n_head_kv = 1, options.model.n_embd_head = 16;
    options.n_tokens = 5;
    for (const char* architecture : {"llama", "gemma3"}) {
        options.model.architecture = architecture;
        const EngineState bytes = make_engine_state(options);
        for (const std::string* state : {&bytes.session, &bytes.sequence, &bytes.buffer}) {
            for (size_t size = 0; size < state->size(); size++) {
                CAPTURE(size);
                const std::string why = complaint(state->substr(0, size));
                // Between its two caches a state of gemma3 is whole as a state of another model.
                if (why.empty())
                    CHECK_THROWS_AS(
                        [&] {
                            const TemporaryFolder folder;
                            write_tiny_model(options.model, folder / "m.gguf");
                            check_kv_state(read(state->substr(0, size)), read_model((folder / "m.gguf").string()), "s");
                        }(),
                        UsageError);
            }
            CHECK(complaint(*state + '\0') != "");
            CHECK(complaint(*state + "more than that") != "");
        }
    }
}

TEST_CASE("every length and type of a state is checked, and the text names it") {
    CHECK(complaint(HandMade().bytes()) == "");
    const auto said = [](auto change) {
        HandMade state;
        change(state);
        return complaint(state.bytes());
    };
    const auto has = [](const std::string& text, const std::string& part) {
        INFO(text);
        CHECK(text.find(part) != std::string::npos);
    };
    has(said([](HandMade& s) { s.magic = 0x12345678; }), "begins with 12345678");
    has(said([](HandMade& s) { s.version = 1; }), "sequence state file of version 1");
    has(said([](HandMade& s) { s.magic = LLAMA_SESSION_MAGIC, s.version = 8; }), "session file of version 8");
    has(said([](HandMade& s) { s.n_tokens = 1u << 31; }), "inside the tokens");
    has(said([](HandMade& s) { s.n_stream = 0; }), "0 streams");
    has(said([](HandMade& s) { s.n_stream = 257; }), "257 streams");
    has(said([](HandMade& s) { s.n_cells = 0xffffffff; }), "4294967295 cells");
    has(said([](HandMade& s) { s.pos = -1; }), "position -1");
    has(said([](HandMade& s) { s.n_seq = 0; }), "0 sequences");
    has(said([](HandMade& s) { s.seq = 256; }), "sequence 256");
    has(said([](HandMade& s) { s.v_transposed = 2; }), "form of V is 2");
    has(said([](HandMade& s) { s.n_layer = 513; }), "513 layers");
    has(said([](HandMade& s) { s.type = -1; }), "type -1");
    has(said([](HandMade& s) { s.type = 4; }), "type 4");  // once Q4_2: it has no blocks any more
    has(said([](HandMade& s) { s.row_bytes = 5; }), "rows of 5 bytes");
    has(said([](HandMade& s) { s.row_bytes = uint64_t{1} << 62; }), "no whole number");
    has(said([](HandMade& s) { s.row_bytes = 1 << 20; }), "inside V of layer 0");
    has(said([](HandMade& s) { s.v_transposed = 1, s.element_bytes = 4; }), "V of layer 0 is transposed");
    has(said([](HandMade& s) { s.v_transposed = 1, s.type = GGML_TYPE_Q8_0; }), "V of layer 0 is transposed");
    has(said([](HandMade& s) { s.v_transposed = 1, s.n_elements = 1u << 31; }), "V of layer 0 is transposed");
    has(complaint(raw(LLAMA_STATE_SEQ_MAGIC) + raw(LLAMA_STATE_SEQ_VERSION) + raw(0)), "holds no KV cache");
    has(complaint(raw(LLAMA_SESSION_MAGIC) + raw(LLAMA_SESSION_VERSION) + raw(0) + raw(65)), "name of 65 bytes");
    CHECK(said([](HandMade& s) { s.v_transposed = 1; }) == "");
    const HandMade cache;
    has(complaint(cache.bytes() + cache.memory() + cache.memory()), "after the caches");
}

TEST_CASE("streams of one cache have the same layers") {
    HandMade one;
    one.n_stream = 2;
    HandMade other;
    other.row_bytes = 4;
    const std::string same = one.bytes() + other.memory().substr(4);
    CHECK(complaint(same) == "");
    std::string different = same;
    different[different.size() - 16] = GGML_TYPE_BF16;
    CHECK(complaint(different).find("stream 1 has layers of another form") != std::string::npos);
}

TEST_CASE("places of M-RoPE and caches without V are told from the plain form") {
    const std::string head = raw(LLAMA_STATE_SEQ_MAGIC) + raw(LLAMA_STATE_SEQ_VERSION) + raw(0);
    const std::string k = raw(GGML_TYPE_F16) + raw(uint64_t{4}) + "ABCD";
    const std::string placed =
        head + raw(1) + raw(1) + raw(7) + raw(1) + raw(3) + raw(4) + raw(0) + raw(0) + raw(1) + k + k;
    const KvState with_places = read(placed);
    CHECK(with_places.has_places);
    CHECK(with_places.caches[0].streams[0].cells[0].x == 3);
    CHECK(with_places.caches[0].streams[0].cells[0].y == 4);
    check_reads_back(placed);

    const std::string latent = head + raw(1) + raw(1) + raw(7) + raw(1) + raw(0) + raw(0) + raw(1) + k;
    CHECK(read(latent).caches[0].streams[0].v.empty());
    check_reads_back(latent);
}

TEST_CASE("recurrent, hybrid and DeepSeek V4 memory is refused by name") {
    const std::string head = raw(LLAMA_STATE_SEQ_MAGIC) + raw(LLAMA_STATE_SEQ_VERSION) + raw(0);
    const std::string rows = raw(GGML_TYPE_F32) + raw(uint64_t{4}) + "abcd";
    const std::string recurrent = raw(1) + raw(7) + raw(0) + raw(0) + raw(1) + rows + rows;
    CHECK(complaint(head + recurrent).find("recurrent or hybrid") != std::string::npos);
    CHECK(complaint(HandMade().bytes() + recurrent).find("recurrent or hybrid") != std::string::npos);
    CHECK(complaint(head + "DSV4" + recurrent).find("DeepSeek V4") != std::string::npos);
}

TEST_CASE("a frame that claims more than its state had is refused") {
    const std::string bytes = HandMade().bytes();
    const KvState state = read(bytes);
    const std::string frame = kv_frame(state);
    CHECK_NOTHROW(read_kv_frame(frame, state.size_bytes, "f"));
    for (const int64_t size : {int64_t{0}, state.size_bytes - 1, state.size_bytes + 1, state.size_bytes * 1000})
        CHECK_THROWS_AS(read_kv_frame(frame, size, "f"), FormatError);
    HandMade large;
    large.row_bytes = 1 << 24;
    CHECK_THROWS_AS(
        read_kv_frame(kv_frame(state).substr(0, frame.size() - 8) + raw(large.row_bytes), state.size_bytes, "f"),
        FormatError);
}

TEST_CASE("a state of another model is refused") {
    const TemporaryFolder folder;
    const auto model = [&](const TinyModel& tiny_model) {
        write_tiny_model(tiny_model, folder / "m.gguf");
        return read_model((folder / "m.gguf").string());
    };
    const auto check = [&](const std::string& state, const TinyModel& tiny_model) {
        check_kv_state(read(state), model(tiny_model), "s");
    };
    for (const char* architecture : {"llama", "qwen2", "gemma3"}) {
        EngineStateOptions options;
        options.model = tiny(architecture, 6);
        const EngineState bytes = make_engine_state(options);
        CHECK_NOTHROW(check(bytes.session, options.model));
        CHECK_NOTHROW(check(bytes.sequence, options.model));
        CHECK_THROWS_AS(check(bytes.session, tiny("qwen3", 6)), UsageError);
        CHECK_THROWS_AS(check(bytes.sequence, tiny(architecture, 5)), UsageError);
        CHECK_THROWS_AS(check(bytes.sequence, tiny(architecture, 7)), UsageError);
        TinyModel wider = options.model;
        wider.n_head_kv = 4;
        CHECK_THROWS_AS(check(bytes.sequence, wider), UsageError);
    }
}
