#include "report/kv_snapshot.h"

#include <algorithm>

#include <fmt/format.h>
#include <ggml.h>

#include "base/text.h"
#include "ech0/units.h"
#include "kv/row_block.h"
#include "report/machine.h"
#include "report/utc_time.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

double bytes_per_s(const KvConversion& conversion) {
    return conversion.seconds > 0 ? static_cast<double>(conversion.ekv.content_bytes) / conversion.seconds : 0;
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string codec_name(EkvCodec codec) {
    if (codec == EkvCodec::lossy) return "lossy";
    return codec == EkvCodec::profile ? "profile" : std::string(row_codec_name(static_cast<RowCodec>(codec)));
}

/// Two lines: what is lost of the distribution, and what of answers.
std::string loss_text(const EkvLoss& loss) {
    if (loss.kl_divergence < 0) return "not measured; --model and --kl would";
    return fmt::format(
        "KL divergence {:.5f} over {} tokens that the model wrote, its favourite the same at {}; "
        "a greedy answer has {} of {} tokens the same",
        loss.kl_divergence, loss.n_measured, loss.n_same_top1, loss.n_greedy_equal, loss.n_greedy);
}

void add_loss(const std::optional<EkvLoss>& loss, Json& json) {
    const bool measured = loss && loss->kl_divergence >= 0;
    json["lossless"] = !loss;
    json["kl_divergence"] = loss ? (measured ? Json(loss->kl_divergence) : Json(nullptr)) : Json(0);
    json["n_measured"] = loss ? loss->n_measured : 0;
    json["top1_agreement"] =
        loss ? (measured ? Json(static_cast<double>(loss->n_same_top1) / static_cast<double>(loss->n_measured))
                         : Json(nullptr))
             : Json(1);
    json["greedy_agreement"] =
        loss ? (measured ? Json(static_cast<double>(loss->n_greedy_equal) / static_cast<double>(loss->n_greedy))
                         : Json(nullptr))
             : Json(1);
    json["profile_sha256"] = loss ? Json(loss->profile_sha256) : Json(nullptr);
}

/// Types of K and V, "F16" or "Q8_0/F16".
std::string types_text(const KvState& state) {
    std::string k, v;
    for (const KvCache& cache : state.caches)
        for (const KvStream& stream : cache.streams) {
            if (!stream.k.empty()) k = type_label(static_cast<ggml_type>(stream.k.front().type));
            if (!stream.v.empty()) v = type_label(static_cast<ggml_type>(stream.v.front().type));
        }
    return k == v || v.empty() ? k : k + "/" + v;
}

int64_t n_layers(const KvState& state) {
    int64_t n = 0;
    for (const KvCache& cache : state.caches) {
        size_t most = 0;
        for (const KvStream& stream : cache.streams) most = std::max(most, stream.k.size());
        n += static_cast<int64_t>(most);
    }
    return n;
}

int64_t n_streams(const KvState& state) {
    size_t n = 0;
    for (const KvCache& cache : state.caches) n += cache.streams.size();
    return static_cast<int64_t>(n);
}

void add_state_facts(const KvState& state, Facts& facts) {
    facts.emplace_back("holds",
                       fmt::format("a {} of llama.cpp (version {}){}", kv_state_kind_name(state.kind), state.version,
                                   state.architecture.empty() ? "" : ", " + printable(state.architecture)));
    facts.emplace_back(
        "cache", fmt::format("{} cells, {} layers of {} in {} cache{} and {} stream{}", state.n_cells(),
                             n_layers(state), types_text(state), state.caches.size(),
                             state.caches.size() == 1 ? "" : "s", n_streams(state), n_streams(state) == 1 ? "" : "s"));
}

void add_ekv_facts(const KvFileInfo& info, Facts& facts) {
    const Ekv& ekv = *info.ekv;
    if (ekv.content == EkvContent::rows)
        facts.emplace_back(
            "holds", fmt::format("rows of {} {} numbers", ekv.n_columns, type_label(static_cast<ggml_type>(ekv.type))));
    facts.emplace_back("packed", fmt::format("{} to {}, ratio {:.3f}", format_disk(ekv.content_bytes),
                                             format_disk(ekv.file_bytes), ekv.ratio()));
    facts.emplace_back("loss", ekv.loss ? loss_text(*ekv.loss) : "none: it comes back to the bit");
    if (!ekv.model_name.empty())
        facts.emplace_back(
            "model", fmt::format("{} (SHA-256 {}…)", printable(ekv.model_name, 400), ekv.model_sha256.substr(0, 12)));
    facts.emplace_back("made", fmt::format("{}, llama.cpp {}", utc_time_text(ekv.created_s), printable(ekv.engine)));
    if (!ekv.conversation.empty()) facts.emplace_back("talk", "a conversation; 'ech0 chat --resume' goes on with it");
    facts.emplace_back("blocks",
                       fmt::format("{}{}", ekv.blocks.size(),
                                   !info.checked          ? ", not read; --check does"
                                   : info.damaged.empty() ? ", all sound"
                                                          : fmt::format(", {} damaged", info.damaged.size())));
}

Json state_json(const KvState& state) {
    return {{"kind", kv_state_kind_name(state.kind)},
            {"version", state.version},
            {"architecture", or_null(state.architecture)},
            {"n_tokens", state.tokens.size()},
            {"n_cells", state.n_cells()},
            {"n_layer", n_layers(state)},
            {"n_caches", state.caches.size()},
            {"n_streams", n_streams(state)},
            {"types", types_text(state)}};
}

Json blocks_json(const KvFileInfo& info) {
    Json blocks = Json::array();
    for (size_t i = 0; info.ekv && i < info.ekv->blocks.size(); i++)
        blocks.push_back({{"name", info.block_names[i]},
                          {"codec", codec_name(info.ekv->blocks[i].codec)},
                          {"size_bytes", info.ekv->blocks[i].size_bytes}});
    return blocks;
}

}  // namespace

std::string kv_pack_text(const KvConversion& pack) {
    const Ekv& ekv = pack.ekv;
    return fmt::format("{}: {} to {}, ratio {:.3f}, {}\n{}; {}, {}/s\nNext: ech0 kv unpack {}\n",
                       printable(pack.output, 4000), format_disk(ekv.content_bytes), format_disk(ekv.file_bytes),
                       ekv.ratio(), ekv.loss ? "with loss" : "without loss",
                       ekv.loss ? loss_text(*ekv.loss) : "It comes back to the bit", format_duration(pack.seconds),
                       format_disk(static_cast<int64_t>(bytes_per_s(pack))), printable(shell_word(pack.output), 4000));
}

Json kv_pack_json(const KvConversion& pack) {
    Json json = {{"schema", "ech0.kv.pack/1"},
                 {"input", pack.input},
                 {"output", pack.output},
                 {"model", or_null(pack.ekv.model_name)},
                 {"n_tokens", pack.n_tokens},
                 {"input_bytes", pack.ekv.content_bytes},
                 {"output_bytes", pack.ekv.file_bytes},
                 {"ratio", pack.ekv.ratio()}};
    add_loss(pack.ekv.loss, json);
    json["seconds"] = pack.seconds;
    json["bytes_per_s"] = bytes_per_s(pack);
    return json;
}

std::string kv_unpack_text(const KvConversion& unpack) {
    return fmt::format("{}: {}, {}; {}, {}/s\n", printable(unpack.output, 4000), format_disk(unpack.ekv.content_bytes),
                       unpack.ekv.loss ? "with the loss it was packed with" : "the same to the bit (SHA-256 checked)",
                       format_duration(unpack.seconds), format_disk(static_cast<int64_t>(bytes_per_s(unpack))));
}

Json kv_unpack_json(const KvConversion& unpack) {
    return {{"schema", "ech0.kv.unpack/1"},
            {"input", unpack.input},
            {"output", unpack.output},
            {"model", or_null(unpack.ekv.model_name)},
            {"n_tokens", unpack.n_tokens},
            {"input_bytes", unpack.ekv.file_bytes},
            {"output_bytes", unpack.ekv.content_bytes},
            {"lossless", !unpack.ekv.loss},
            {"seconds", unpack.seconds},
            {"bytes_per_s", bytes_per_s(unpack)}};
}

std::string kv_info_text(const KvFileInfo& info) {
    Facts facts = {{"file", printable(info.file, 4000)}, {"size", format_disk(info.file_bytes)}};
    if (info.state) add_state_facts(*info.state, facts);
    if (info.ekv) add_ekv_facts(info, facts);
    std::string text = facts_text(facts);
    for (const std::string& what : info.damaged) text += "\n" + what + "\n";
    if (!info.ekv) text += "\nNext: ech0 kv pack " + printable(shell_word(info.file), 4000) + "\n";
    return text;
}

Json kv_info_json(const KvFileInfo& info) {
    Json json = {{"schema", "ech0.kv.info/1"}, {"file", info.file}, {"size_bytes", info.file_bytes}};
    json["packed"] = info.ekv.has_value();
    json["content_bytes"] = info.ekv ? info.ekv->content_bytes : info.file_bytes;
    json["ratio"] = info.ekv ? info.ekv->ratio() : 1;
    json["state"] = info.state ? state_json(*info.state) : Json(nullptr);
    add_loss(info.ekv ? info.ekv->loss : std::nullopt, json);
    json["model"] = or_null(info.ekv ? info.ekv->model_name : "");
    json["model_sha256"] = or_null(info.ekv ? info.ekv->model_sha256 : "");
    json["engine"] = or_null(info.ekv ? info.ekv->engine : "");
    json["created"] = info.ekv ? Json(utc_time_text(info.ekv->created_s)) : Json(nullptr);
    json["has_conversation"] = info.ekv && !info.ekv->conversation.empty();
    json["blocks"] = blocks_json(info);
    json["checked"] = info.checked;
    json["damaged"] = info.damaged;
    return json;
}

std::string kv_profile_text(const Model& model, const KeptProfile& kept, double seconds) {
    const KvProfile& profile = kept.profile;
    return fmt::format(
        "KV profile of {}: {} layers, learnt from {} tokens, {}\n{}{}\nNext: ech0 kv pack STATE --model {} "
        "--kl 0.01\n",
        printable(model.asked, 400), profile.layers.size(), profile.n_tokens,
        format_disk(static_cast<int64_t>(kept.bytes.size())), printable(kept.file.string(), 4000),
        kept.made_now ? ", made in " + format_duration(seconds) : " (it was there already)",
        printable(shell_word(model.asked), 4000));
}

Json kv_profile_json(const Model& model, const KeptProfile& kept, double seconds) {
    return {{"schema", "ech0.kv.profile/1"},
            {"model", model.asked},
            {"model_sha256", kept.profile.model_sha256},
            {"text_sha256", kept.profile.text_sha256},
            {"file", kept.file.string()},
            {"size_bytes", kept.bytes.size()},
            {"n_layer", kept.profile.layers.size()},
            {"n_tokens", kept.profile.n_tokens},
            {"made_now", kept.made_now},
            {"seconds", seconds}};
}

}  // namespace ech0
