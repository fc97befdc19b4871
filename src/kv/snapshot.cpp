#include "kv/snapshot.h"

#include <algorithm>

#include <fmt/format.h>
#include <ggml.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "kv/pack.h"
#include "runtime/cache_types.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

std::string type_of(const KvState& state, std::vector<KvTensor> KvStream::*tensors) {
    for (const KvCache& cache : state.caches)
        for (const KvStream& stream : cache.streams)
            for (const KvTensor& tensor : stream.*tensors)
                return ggml_type_name(static_cast<ggml_type>(tensor.type));  // known: the state was read
    return "";
}

KvState state_of(const Ekv& ekv, const std::string& name) {
    KvState state;
    if (ekv.content == EkvContent::state) state = read_kv_frame(ekv.frame, ekv.content_bytes, name);
    if (state.kind != KvStateKind::sequence || state.tokens.empty())
        throw FormatError(fmt::format("{}: no cache of one sequence with its tokens, as chat's /save writes it", name));
    return state;
}

// llama-server packs the tokens of a slot: a mark, a version, how many, the tokens, how many images (server-common.cpp,
// server_tokens::serialize).
std::vector<int32_t> plain_tokens(const std::vector<int32_t>& tokens, const std::string& name) {
    constexpr int32_t mark = -1, version = 1;
    if (tokens.front() != mark) return tokens;
    const bool is_plain = tokens.size() >= 4 && tokens[1] == version && tokens.back() == 0 &&
                          static_cast<int64_t>(tokens[2]) == static_cast<int64_t>(tokens.size()) - 4;
    if (!is_plain)
        throw FormatError(fmt::format("{}: a slot of llama-server with images, or of another version of it", name));
    return {tokens.begin() + 3, tokens.end() - 1};
}

// The engine takes positions as they are.
void check_positions(const KvState& state, int64_t n_tokens, const std::string& name) {
    for (const KvCache& cache : state.caches)
        for (const KvStream& stream : cache.streams)
            for (const KvCell& cell : stream.cells)
                if (cell.pos < 0 || cell.pos >= n_tokens)
                    throw FormatError(fmt::format("{}: a cell at position {}, of {} tokens", name, cell.pos, n_tokens));
}

}  // namespace

CacheKind cache_kind(const Model& model, const SessionOptions& options, const Progress& progress) {
    CacheKind kind;
    kind.model_name = model.name.empty() ? model.files.front().filename().string() : model.name;
    kind.model_sha256 = cached_sha256_of_file(model.files.front(), progress);
    kind.type_k = options.type_k;
    kind.type_v = options.type_v;
    return kind;
}

Ekv save_snapshot(const Session& session, std::span<const int32_t> tokens, const CacheKind& kind,
                  const std::filesystem::path& target, const SnapshotOptions& options) {
    if (tokens.empty())
        throw UsageError(
            fmt::format("{}: nothing was read yet, so there is no cache to save", printable(target.string(), 400)));
    if (session.n_cells() < session.n_past())
        throw UsageError(fmt::format(
            "{}: {} of the {} tokens were forgotten (--kv-keep), so the cache is not theirs; a name that does "
            "not end in .ekv saves the messages alone",
            printable(target.string(), 400), session.n_past() - session.n_cells(), session.n_past()));
    KvPackOptions packing;
    packing.model_name = kind.model_name;
    packing.model_sha256 = kind.model_sha256;
    packing.conversation = options.conversation;
    packing.stored = true;
    packing.check = false;  // what is stored as it is needs none
    packing.before_naming = options.before_naming;
    packing.n_threads = 1;
    return pack_state(bytes_of(as_sequence_state(session.state(), tokens)), printable(target.string(), 400), target,
                      packing);
}

Snapshot::Snapshot(const std::filesystem::path& file)
    : name_(printable(file.string(), 400)),
      file_(file),
      ekv_(read_ekv(file_.bytes(), file.string())),
      state_(state_of(ekv_, name_)),
      tokens_(plain_tokens(state_.tokens, name_)) {
    check_positions(state_, static_cast<int64_t>(tokens_.size()), name_);
}

std::string Snapshot::type_k() const { return type_of(state_, &KvStream::k); }
std::string Snapshot::type_v() const { return type_of(state_, &KvStream::v); }

void Snapshot::require_model(const CacheKind& kind) const {
    if (ekv_.model_sha256 == kind.model_sha256) return;
    if (ekv_.model_sha256.empty())
        throw UsageError(fmt::format("{}: it does not say which model it is of: pack it with --model", name_));
    throw UsageError(
        fmt::format("{}: of {} (SHA-256 {}…), not of this model, {} ({}…); even another quantization has other caches: "
                    "name that model, or save the talk there as JSON",
                    name_, printable(ekv_.model_name), ekv_.model_sha256.substr(0, 12), printable(kind.model_name),
                    kind.model_sha256.substr(0, 12)));
}

std::string Snapshot::obstacle(const CacheKind& kind, int64_t n_ctx) const {
    const auto n_tokens = static_cast<int64_t>(tokens().size());
    const CacheTypes has{type_k(), type_v().empty() ? kind.type_v : type_v()}, wanted{kind.type_k, kind.type_v};
    if (ekv_.engine != engine_commit())
        return fmt::format("written by engine {}, this one is {}", printable(ekv_.engine), engine_commit());
    if (ekv_.loss) return "packed with loss";
    if (has != wanted)
        return fmt::format("its cache is {}, this context's {} (--kv {})", cache_name(has), cache_name(wanted),
                           cache_name(has));
    if (n_tokens > n_ctx)
        return fmt::format("it has {} tokens, this context holds {} (--ctx)", format_count(n_tokens),
                           format_count(n_ctx));
    return "";
}

std::string Snapshot::cache(int n_threads) const {
    std::string bytes;
    bytes.reserve(
        static_cast<size_t>(std::min(ekv_.content_bytes, 16 * ekv_.file_bytes)));  // what it claims may be wrong
    KvUnpackOptions options;
    options.n_threads = n_threads;
    unpack(file_.bytes(), ekv_, name_, options, [&](std::span<const uint8_t> piece) {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    });
    return as_buffer(state_, bytes_of(bytes), name_);
}

}  // namespace ech0
