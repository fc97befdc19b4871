#include "kv/ekv.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/deflate.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr std::string_view magic =
    "\x89"
    "EKV\r\n\x1a\n";  // as PNG's: shows what changed bytes on the way
constexpr std::string_view unfinished("\0\0\0\0\0\0\0\0", 8);
constexpr uint32_t version = 1;
constexpr size_t head_bytes = 64, check_bytes = 16;
constexpr uint32_t most_text_bytes = uint32_t{1} << 28;  // of a frame: 20 million tokens

std::string digest(std::string_view bytes, size_t n) {
    const std::string hex = sha256(bytes);
    std::string out;
    for (size_t i = 0; i < n; i++) out.push_back(static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16)));
    return out;
}

std::string hex_of(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
    return out;
}

class Out {
public:
    std::string bytes;

    template <class T>
    void number(T value) {
        static_assert(std::is_arithmetic_v<T>);
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(std::string_view s) {
        number(static_cast<uint32_t>(s.size()));
        bytes += s;
    }
    /// 64 hex digits or none.
    void hash(std::string_view hex) {
        number(static_cast<uint8_t>(hex.empty() ? 0 : 1));
        for (size_t i = 0; i + 1 < hex.size(); i += 2)
            bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    }
};

class In {
public:
    explicit In(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    std::string_view take(size_t n) {
        if (n > bytes_.size()) throw FormatError("its index ends too early");
        const std::string_view taken = bytes_.substr(0, n);
        bytes_.remove_prefix(n);
        return taken;
    }
    std::string text() { return std::string(take(number<uint32_t>())); }
    std::string hash() { return number<uint8_t>() == 0 ? "" : hex_of(take(32)); }
    size_t left() const { return bytes_.size(); }

private:
    std::string_view bytes_;
};

// A frame is mostly cells, a counter between constants: as differences to the word `lag` words before, nearly all of
// them are alike, and deflate does the rest. 3: a cell is position, number of sequences, sequence; 5: with a place.
constexpr std::array<uint8_t, 3> lags = {0, 3, 5};

uint32_t word(std::string_view s, size_t i) {
    uint32_t w;
    std::memcpy(&w, s.data() + 4 * i, 4);
    return w;
}

std::string differences(std::string_view frame, size_t lag) {
    std::string out(frame);
    for (size_t i = lag; lag > 0 && i < frame.size() / 4; i++) {
        const uint32_t w = word(frame, i) - word(frame, i - lag);
        std::memcpy(out.data() + 4 * i, &w, 4);
    }
    return out;
}

std::string sums(std::string differences, size_t lag) {
    std::string& out = differences;
    for (size_t i = lag; lag > 0 && i < out.size() / 4; i++) {
        const uint32_t w = word(out, i) + word(out, i - lag);
        std::memcpy(out.data() + 4 * i, &w, 4);
    }
    return out;
}

void put_frame(Out& out, std::string_view frame) {
    std::string best;
    uint8_t best_lag = 0;
    for (const uint8_t lag : lags) {
        std::string packed = deflate(differences(frame, lag));
        if (!best.empty() && packed.size() >= best.size()) continue;
        best = std::move(packed);
        best_lag = lag;
    }
    out.number(static_cast<uint64_t>(frame.size()));
    out.number(best_lag);
    out.text(best);
}

std::string get_frame(In& in) {
    const auto size = in.number<uint64_t>();
    const auto lag = in.number<uint8_t>();
    const std::string packed = in.text();
    if (std::find(lags.begin(), lags.end(), lag) == lags.end() || size > most_text_bytes)
        throw FormatError(fmt::format("a frame of {} bytes with lag {}", size, lag));
    return sums(inflate(packed, static_cast<int64_t>(size)), lag);
}

void put_packed_text(Out& out, std::string_view text) {
    out.number(static_cast<uint32_t>(text.size()));
    if (!text.empty()) out.text(deflate(text));
}

std::string get_packed_text(In& in) {
    const auto size = in.number<uint32_t>();
    if (size > most_text_bytes) throw FormatError(fmt::format("a conversation of {} bytes", size));
    return size == 0 ? "" : inflate(in.text(), size);
}

void put_loss(Out& out, const std::optional<EkvLoss>& loss) {
    out.number(static_cast<uint8_t>(loss ? 1 : 0));
    if (!loss) return;
    out.number(loss->step);
    out.hash(loss->profile_sha256);
    out.number(loss->kl_divergence);
    for (const int64_t n : {loss->n_measured, loss->n_same_top1, loss->n_greedy_equal, loss->n_greedy}) out.number(n);
}

std::optional<EkvLoss> get_loss(In& in) {
    if (in.number<uint8_t>() == 0) return std::nullopt;
    EkvLoss loss;
    loss.step = in.number<int32_t>();
    loss.profile_sha256 = in.hash();
    loss.kl_divergence = in.number<double>();
    for (int64_t* n : {&loss.n_measured, &loss.n_same_top1, &loss.n_greedy_equal, &loss.n_greedy})
        *n = in.number<int64_t>();
    return loss;
}

std::string index_of(const Ekv& ekv) {
    Out out;
    out.hash(ekv.content_sha256);
    out.text(ekv.model_name);
    out.hash(ekv.model_sha256);
    out.text(ekv.engine);
    out.number(ekv.created_s);
    put_packed_text(out, ekv.conversation);
    if (ekv.content == EkvContent::state) {
        put_frame(out, ekv.frame);
    } else {
        out.number(ekv.type);
        out.number(ekv.n_columns);
    }
    put_loss(out, ekv.loss);
    out.number(static_cast<uint32_t>(ekv.blocks.size()));
    for (const EkvBlock& block : ekv.blocks) {
        out.number(static_cast<uint8_t>(block.codec));
        out.number(block.size_bytes);
        out.bytes += block.check;
    }
    return std::move(out.bytes);
}

void read_blocks(In& in, int64_t end_bytes, Ekv& ekv) {
    constexpr size_t entry_bytes = 1 + 8 + check_bytes;
    const auto n = in.number<uint32_t>();
    if (n != in.left() / entry_bytes || in.left() % entry_bytes != 0)
        throw FormatError(fmt::format("its index claims {} blocks in {} bytes", n, in.left()));
    int64_t at = head_bytes;
    for (uint32_t i = 0; i < n; i++) {
        EkvBlock block;
        const auto codec = in.number<uint8_t>();
        if (codec > static_cast<uint8_t>(EkvCodec::profile))
            throw FormatError(fmt::format("block {} has codec {}, which this version does not know", i, codec));
        block.codec = static_cast<EkvCodec>(codec);
        block.offset_bytes = at;
        block.size_bytes = in.number<int64_t>();
        block.check = in.take(check_bytes);
        if (block.size_bytes < 0 || block.size_bytes > end_bytes - at)
            throw FormatError(
                fmt::format("block {} has {} bytes, the file only {} more", i, block.size_bytes, end_bytes - at));
        at += block.size_bytes;
        ekv.blocks.push_back(std::move(block));
    }
    if (at != end_bytes) throw FormatError(fmt::format("{} bytes lie between blocks and index", end_bytes - at));
}

void read_index(In in, int64_t end_bytes, Ekv& ekv) {
    ekv.content_sha256 = in.hash();
    ekv.model_name = in.text();
    ekv.model_sha256 = in.hash();
    ekv.engine = in.text();
    ekv.created_s = in.number<int64_t>();
    ekv.conversation = get_packed_text(in);
    if (ekv.content == EkvContent::state) {
        ekv.frame = get_frame(in);
    } else {
        ekv.type = in.number<int32_t>();
        ekv.n_columns = in.number<int64_t>();
    }
    ekv.loss = get_loss(in);
    read_blocks(in, end_bytes, ekv);
}

struct Head {
    EkvContent content = EkvContent::state;
    int64_t content_bytes = 0, index_offset = 0, index_bytes = 0;
    std::string index_check;
};

std::string written(const Head& head) {
    Out out;
    out.bytes = magic;
    out.number(version);
    out.number(static_cast<uint32_t>(head.content));
    out.number(head.content_bytes);
    out.number(head.index_offset);
    out.number(head.index_bytes);
    out.bytes += head.index_check;
    out.bytes += digest(out.bytes, head_bytes - out.bytes.size());
    return std::move(out.bytes);
}

Head read_head(std::string_view file) {
    if (!file.starts_with(magic)) {
        throw FormatError(file.starts_with(unfinished) ? "an .ekv that was not finished: pack it again"
                                                       : "no .ekv: it does not begin as one");
    }
    if (file.size() < head_bytes) throw FormatError(fmt::format("an .ekv of {} bytes: it is cut off", file.size()));
    In in(file.substr(magic.size(), head_bytes - magic.size()));
    if (const auto found = in.number<uint32_t>(); found != version)
        throw FormatError(fmt::format("an .ekv of version {}; this ech0 reads version {}", found, version));
    Head head;
    const auto content = in.number<uint32_t>();
    head.content = static_cast<EkvContent>(content);
    head.content_bytes = in.number<int64_t>();
    head.index_offset = in.number<int64_t>();
    head.index_bytes = in.number<int64_t>();
    head.index_check = in.take(check_bytes);
    if (content > 1 || head.content_bytes < 0 || written(head) != file.substr(0, head_bytes))
        throw FormatError("its head is damaged");
    const auto size = static_cast<int64_t>(file.size());
    if (head.index_offset < static_cast<int64_t>(head_bytes) || head.index_offset > size ||
        head.index_bytes != size - head.index_offset)
        throw FormatError(
            fmt::format("it has {} bytes, its head an index of {} at {}: it is cut off or something follows", size,
                        head.index_bytes, head.index_offset));
    return head;
}

}  // namespace

int64_t ekv_overhead_bytes(Ekv ekv, size_t n_blocks) {
    ekv.blocks.assign(n_blocks, {EkvCodec::stored, 0, 0, std::string(check_bytes, '\0')});
    return static_cast<int64_t>(head_bytes + index_of(ekv).size());
}

EkvWriter::EkvWriter(const std::filesystem::path& target) : file_(target) {
    file_.write(std::string(head_bytes, '\0'));
}

void EkvWriter::add(EkvCodec codec, std::string_view bytes) {
    blocks_.push_back({codec, file_.size_bytes(), static_cast<int64_t>(bytes.size()), digest(bytes, check_bytes)});
    file_.write(bytes);
}

void EkvWriter::finish(Ekv& ekv) {
    ekv.blocks = std::move(blocks_);
    const std::string index = index_of(ekv);
    const Head head{ekv.content, ekv.content_bytes, file_.size_bytes(), static_cast<int64_t>(index.size()),
                    digest(index, check_bytes)};
    file_.write(index);
    const std::string first = written(head);
    file_.write_at(0, first.data(), first.size());
    file_.commit();
    ekv.file_bytes = file_.size_bytes();
}

bool is_ekv(std::span<const uint8_t> bytes) {
    const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return file.starts_with(magic) || file.starts_with(unfinished);
}

Ekv read_ekv(std::span<const uint8_t> bytes, std::string_view name) try {
    const std::string_view file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const Head head = read_head(file);
    const std::string_view index = file.substr(static_cast<size_t>(head.index_offset));
    if (digest(index, check_bytes) != head.index_check) throw FormatError("its index is damaged");
    Ekv ekv;
    ekv.content = head.content;
    ekv.content_bytes = head.content_bytes;
    ekv.file_bytes = static_cast<int64_t>(file.size());
    read_index(In(index), head.index_offset, ekv);
    return ekv;
} catch (Error& error) {
    error.add_context(printable(name));
    throw;
}

std::string_view ekv_block(std::span<const uint8_t> file, const Ekv& ekv, size_t i, std::string_view name,
                           std::string_view what) {
    const EkvBlock& block = ekv.blocks.at(i);
    const std::string_view bytes(reinterpret_cast<const char*>(file.data()) + block.offset_bytes,
                                 static_cast<size_t>(block.size_bytes));
    if (digest(bytes, check_bytes) != block.check)
        throw FormatError(fmt::format("{}: block {} ({}) is damaged: its {} bytes at {} have another checksum",
                                      printable(name), i, what, block.size_bytes, block.offset_bytes));
    return bytes;
}

}  // namespace ech0
