#include "kv/snapshot.h"

#include <doctest/doctest.h>

#include <cmath>

#include "ech0/error.h"
#include "kv/pack.h"
#include "runtime/conversation.h"
#include "support/complaint.h"
#include "support/engine_state.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

/// A tiny model that has read some tokens.
struct Reader {
    TemporaryFolder folder;
    Model model;
    SessionOptions options;
    std::vector<int32_t> tokens;

    explicit Reader(const TinyModel& tiny, const std::string& type = "f16") {
        write_tiny_model(tiny, folder / "m.gguf");
        model = read_model((folder / "m.gguf").string());
        options.n_ctx = 256;
        options.n_threads = 1;
        options.type_k = options.type_v = type;
        for (int i = 0; i < 60; i++) tokens.push_back(5 + i * 7 % 90);
    }
    Session session() const { return {model, options}; }
    CacheKind kind() const { return cache_kind(model, options); }
    std::filesystem::path file() const { return folder / "a.ekv"; }

    void save() const {
        Session session = this->session();
        session.decode(tokens, static_cast<int64_t>(tokens.size()));
        SnapshotOptions save;
        save.conversation = "{}";
        save_snapshot(session, tokens, kind(), file(), save);
    }
};

std::span<const uint8_t> as_bytes(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::vector<float> logits_after(Session& session, int32_t token) {
    const std::span<const float> logits = session.decode({&token, 1}, 0);
    return {logits.begin(), logits.end()};
}

double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
        norm += std::pow(static_cast<double>(a[i]), 2);
    }
    return std::sqrt(difference / norm);
}

/// The file again, with another index.
void rewrite(const std::filesystem::path& file, const std::function<void(Ekv&)>& change) {
    const std::string bytes = read_file(file);
    Ekv ekv = read_ekv(as_bytes(bytes), "a");
    EkvWriter writer(file);
    for (const EkvBlock& block : ekv.blocks)
        writer.add(block.codec, std::string_view(bytes).substr(static_cast<size_t>(block.offset_bytes),
                                                               static_cast<size_t>(block.size_bytes)));
    change(ekv);
    writer.finish(ekv);
}

}  // namespace

TEST_CASE("what a session has read is put back to the bit, in every kind of cache") {
    TinyModel windowed, wide;
    windowed.architecture = "gemma3";
    windowed.n_layer = 6;  // the last one sees all
    wide.n_embd_head = 64;
    const std::vector<std::pair<TinyModel, std::string>> cases = {
        {{}, "f16"}, {{}, "f32"}, {wide, "q8_0"}, {windowed, "f16"}};
    for (const auto& [tiny, type] : cases) {
        CAPTURE(type);
        const Reader reader(tiny, type);
        Session session = reader.session();
        session.decode(reader.tokens, static_cast<int64_t>(reader.tokens.size()));
        save_snapshot(session, reader.tokens, reader.kind(), reader.file(), {});
        const Snapshot snapshot(reader.file());
        CHECK(snapshot.tokens() == reader.tokens);
        CHECK(snapshot.type_k() == type);
        CHECK(snapshot.type_v() == type);
        CHECK_NOTHROW(snapshot.require_model(reader.kind()));
        CHECK(snapshot.obstacle(reader.kind(), 256) == "");
        Session other = reader.session();
        other.decode(std::span(reader.tokens).first(9), 9);  // gives way
        other.restore(as_bytes(snapshot.cache(1)));
        CHECK(other.n_past() == 60);
        CHECK(other.state() == session.state());
        CHECK(logits_after(other, 9) == logits_after(session, 9));
    }
}

TEST_CASE("a snapshot says whose it is and what keeps it from a context") {
    const Reader reader({});
    reader.save();
    CacheKind other = reader.kind();
    other.model_sha256[0] = other.model_sha256[0] == 'a' ? 'b' : 'a';
    const Snapshot snapshot(reader.file());
    CHECK(complaint([&] { snapshot.require_model(other); }).find("not of this model") != std::string::npos);
    CHECK(snapshot.obstacle(reader.kind(), 59) == "it has 60 tokens, this context holds 59 (--ctx)");
    other.type_v = "q8_0";
    CHECK(snapshot.obstacle(other, 256) == "its cache is f16, this context's f16/q8_0 (--kv f16)");
    CHECK(snapshot.ekv().conversation == "{}");

    rewrite(reader.file(), [](Ekv& ekv) { ekv.engine = "0123456"; });
    CHECK(Snapshot(reader.file()).obstacle(reader.kind(), 256).find("written by engine 0123456, this one is ") == 0);
    reader.save();
    rewrite(reader.file(), [](Ekv& ekv) { ekv.model_sha256.clear(); });
    CHECK(complaint([&] {
              Snapshot(reader.file()).require_model(reader.kind());
          }).find("does not say which model it is of") != std::string::npos);
    reader.save();
    rewrite(reader.file(), [](Ekv& ekv) { ekv.loss.emplace().profile_sha256 = std::string(64, '0'); });
    CHECK(Snapshot(reader.file()).obstacle(reader.kind(), 256) == "packed with loss");
}

TEST_CASE("an .ekv without tokens or of several sequences is no snapshot, and a damaged one says where") {
    const TemporaryFolder folder;
    const EngineState state = make_engine_state({});
    const auto refused = [&](const std::string& bytes) {
        pack_state(as_bytes(bytes), "s", folder / "a.ekv", {});
        return complaint([&] { const Snapshot read(folder / "a.ekv"); });
    };
    CHECK(refused(state.buffer).find("no cache of one sequence with its tokens") != std::string::npos);
    CHECK(refused(state.session).find("no cache of one sequence with its tokens") != std::string::npos);
    pack_plain_rows(as_bytes(std::string(4000, 'x')), 0, 100, folder / "a.ekv", {});
    CHECK(complaint([&] { const Snapshot read(folder / "a.ekv"); }).find("no cache of one sequence") !=
          std::string::npos);
    CHECK(refused(state.sequence) == "");
    std::string bytes = read_file(folder / "a.ekv");
    bytes[70] = static_cast<char>(bytes[70] ^ 1);
    write_file(folder / "a.ekv", bytes);
    CHECK(complaint([&] { Snapshot(folder / "a.ekv").cache(1); }).find("block 0 (K of layer 0) is damaged") !=
          std::string::npos);
}

TEST_CASE("a slot of llama-server has its tokens packed; with images, or cells that no token has, it is refused") {
    const TemporaryFolder folder;
    const std::string buffer = make_engine_state({}).buffer;  // 24 cells
    const auto read = [&](const std::vector<int32_t>& tokens) {
        pack_state(as_bytes(as_sequence_state(buffer, tokens)), "s", folder / "a.ekv", {});
        return Snapshot(folder / "a.ekv").tokens();
    };
    const auto refused = [&](const std::vector<int32_t>& tokens) { return complaint([&] { read(tokens); }); };
    const std::vector<int32_t> plain(24, 7);
    std::vector<int32_t> packed = {-1, 1, 24};
    packed.insert(packed.end(), plain.begin(), plain.end());
    const std::vector<int32_t> begun = packed;
    packed.push_back(0);
    CHECK(read(plain) == plain);
    CHECK(read(packed) == plain);
    const std::string slot = "a slot of llama-server with images, or of another version";
    CHECK(refused(begun).find(slot) != std::string::npos);
    packed[1] = 2;
    CHECK(refused(packed).find(slot) != std::string::npos);
    packed[1] = 1;
    packed.back() = 1;  // an image
    CHECK(refused(packed).find(slot) != std::string::npos);
    CHECK(refused({-1}).find(slot) != std::string::npos);
    CHECK(refused(std::vector<int32_t>(23, 7)).find("a cell at position 23, of 23 tokens") != std::string::npos);
}

TEST_CASE("a session takes no cache of another shape, and is empty then; with nothing read there is none to save") {
    const Reader reader({});
    TinyModel larger;
    larger.n_layer = 3;
    const Reader other(larger), bf16({}, "bf16");
    Session session = reader.session();
    CHECK(complaint([&] {
              save_snapshot(session, {}, reader.kind(), reader.file(), {});
          }).find("nothing was read yet") != std::string::npos);
    for (const Reader* source : {&other, &bf16}) {
        Session read = source->session();
        read.decode(source->tokens, 60);
        session.decode(reader.tokens, 60);
        CHECK_THROWS_AS(session.restore(as_bytes(read.state())), EngineError);
        CHECK(session.n_past() == 0);
    }
    session.decode(reader.tokens, 60);
    const std::string state = session.state();
    CHECK_THROWS_AS(session.restore(as_bytes(state.substr(0, state.size() / 2))), EngineError);
    CHECK_THROWS_AS(session.restore({}), EngineError);
    session.restore(as_bytes(state));
    CHECK(session.n_past() == 60);
}

TEST_CASE("a context that was moved has no state until it has read on: the engine turns the keys only then") {
    const Reader reader({});
    Session session = reader.session();
    session.decode(reader.tokens, 60);
    REQUIRE(session.shift(4, 20));
    CHECK(complaint([&] { session.state(); }).find("the context was moved") == 0);
    logits_after(session, 9);
    const std::string state = session.state();
    const std::vector<float> expected = logits_after(session, 11);
    session.restore(as_bytes(state));
    CHECK(session.n_past() == 41);
    CHECK(session.state() == state);
    CHECK(relative_distance(logits_after(session, 11), expected) < 0.005);  // cells lie elsewhere: sums in other order
}

TEST_CASE("a conversation goes on from another's cache, and is not exact once a piece was cut out") {
    const Reader reader({});
    ConversationOptions options;
    options.n_predict = 12;
    options.sampler.temp = 0;
    options.sampler.repeat_penalty = 1.3F;  // what was said counts too
    Session session = reader.session(), other = reader.session();
    Conversation first(session, options), second(other, options);
    first.ask("Hello");
    CHECK(first.is_exact());
    second.ask("Something else");
    const std::string state = session.state();
    second.resume(first.messages(), first.tokens(), as_bytes(state), 2);
    const Answer here = first.ask("And?"), there = second.ask("And?");
    CHECK(here.text == there.text);
    CHECK(first.tokens() == second.tokens());
    CHECK(there.n_restored > 20);
    CHECK(there.n_restored == there.n_reused);
    CHECK(there.n_reused == here.n_reused);
    CHECK(there.restore_s > 2);
    CHECK(here.n_restored == 0);
    CHECK(second.ask("More").n_restored == 0);

    std::vector<int32_t> fewer = first.tokens();
    fewer.pop_back();
    const std::vector<ChatMessage> before = second.messages();
    CHECK(complaint([&] { second.resume({}, fewer, as_bytes(session.state())); }).find("a cache up to position") == 0);
    CHECK(second.messages().size() == before.size());
    CHECK(second.tokens().empty());
    CHECK(other.n_past() == 0);

    options.context_shift = true;
    options.n_predict = -1;  // as long as the context, and random weights never end
    Conversation shifted(session, options);
    shifted.ask("Hello");
    CHECK_FALSE(shifted.is_exact());
    shifted.clear();
    CHECK(shifted.is_exact());
}

TEST_CASE("a conversation takes a found cache where it has more of the prompt, and only what it shares") {
    const Reader reader({});
    ConversationOptions options;
    options.n_predict = 1;  // which is not in the context then: that holds the prompt
    options.sampler.temp = 0;
    options.system = "A system prompt that all talks share, and that is long enough to be worth it.";
    Session session = reader.session(), other = reader.session();
    Conversation first(session, options), second(other, options);
    first.ask("Hello");
    const std::vector<int32_t> stored = first.tokens();
    const std::string state = session.state();
    int n_asked = 0;
    int64_t n_reused = -1;
    second.set_find_cache(
        [&](Session& into, std::span<const int32_t>, int64_t n) -> std::optional<std::vector<int32_t>> {
            n_reused = n;
            if (++n_asked > 1) return std::nullopt;
            into.restore(as_bytes(state));
            return stored;
        });
    const Answer answer = second.ask("Good evening");
    CHECK(n_reused == 0);
    CHECK(answer.n_restored > 20);
    CHECK(answer.n_restored < static_cast<int64_t>(stored.size()));
    CHECK(answer.n_reused == answer.n_restored);
    Conversation plain(session, options);
    plain.ask("Good evening");
    CHECK(second.tokens() == plain.tokens());
    CHECK(relative_distance(logits_after(other, 9), logits_after(session, 9)) < 0.005);
    CHECK(second.ask("And?").n_restored == 0);
    CHECK(n_reused > answer.n_reused);

    second.set_find_cache([](Session& into, std::span<const int32_t>, int64_t) -> std::optional<std::vector<int32_t>> {
        into.truncate(0);
        throw EngineError("it broke in the middle");
    });
    CHECK_THROWS_AS(second.ask("More"), EngineError);
    CHECK(second.tokens().empty());
    second.set_find_cache({});
    CHECK(second.ask("More").n_reused == 0);
}
