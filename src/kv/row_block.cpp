#include "kv/row_block.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <ggml.h>

#include "base/bytes.h"
#include "base/text.h"
#include "ech0/error.h"
#include "kv/byte_codec.h"
#include "kv/half_codec.h"

namespace ech0 {
namespace {

constexpr int64_t most_block_bytes = int64_t{32} << 20;

int64_t unit_bytes(const RowBlock& block) {
    return static_cast<int64_t>(ggml_type_size(static_cast<ggml_type>(block.type)));
}

void cut(std::vector<RowBlock>& blocks, const RowBlock& whole) {
    const int64_t most_rows = std::max<int64_t>(1, most_block_bytes / std::max<int64_t>(1, whole.row_bytes));
    for (int64_t first = 0; first < whole.n_rows; first += most_rows) {
        RowBlock block = whole;
        block.n_rows = std::min(most_rows, whole.n_rows - first);
        block.offset_bytes = whole.offset_bytes + first * whole.row_bytes;
        if (most_rows < whole.n_rows) block.name += fmt::format(", rows {}-{}", first, first + block.n_rows - 1);
        if (block.size_bytes() > 0) blocks.push_back(std::move(block));
    }
}

RowBlock whole_of(const KvTensor& t, int64_t n_cells, std::string name) {
    RowBlock whole{std::move(name), t.type, n_cells, t.row_bytes, t.transposed, t.offset_bytes};
    if (t.transposed) {
        whole.n_rows = t.n_elements;
        whole.row_bytes = n_cells * t.element_bytes;
    }
    return whole;
}

/// Rows of what a token has, also where the state keeps rows of what a channel has; n columns.
std::pair<std::string, int64_t> token_rows(const RowBlock& block, std::span<const uint8_t> data) {
    if (!block.transposed) return {{reinterpret_cast<const char*>(data.data()), data.size()}, block.row_bytes};
    const int64_t unit = unit_bytes(block), n_tokens = block.row_bytes / unit;
    std::string rows(data.size(), '\0');
    for (int64_t c = 0; c < block.n_rows; c++)
        for (int64_t t = 0; t < n_tokens; t++)
            std::memcpy(rows.data() + (t * block.n_rows + c) * unit, data.data() + (c * n_tokens + t) * unit,
                        static_cast<size_t>(unit));
    return {std::move(rows), block.n_rows * unit};
}

void put_token_rows(const RowBlock& block, std::span<const uint8_t> rows, std::span<uint8_t> out) {
    const int64_t unit = unit_bytes(block), n_tokens = block.row_bytes / unit;
    for (int64_t c = 0; c < block.n_rows; c++)
        for (int64_t t = 0; t < n_tokens; t++)
            std::memcpy(out.data() + (c * n_tokens + t) * unit, rows.data() + (t * block.n_rows + c) * unit,
                        static_cast<size_t>(unit));
}

/// The shortest of one number or one row that the block repeats; 0 if neither does.
int64_t period_of(const RowBlock& block, std::span<const uint8_t> data) {
    for (const int64_t period : {unit_bytes(block), block.row_bytes}) {
        const auto n = static_cast<size_t>(period);
        if (data.size() > n && std::memcmp(data.data(), data.data() + n, data.size() - n) == 0) return period;
    }
    return 0;
}

/// Half precision whose columns the codec's model has room for.
bool are_halves(const RowBlock& block, int64_t token_row_bytes) {
    return block.type == GGML_TYPE_F16 && token_row_bytes / 2 <= most_half_columns;
}

PackedRows pack_numbers(const RowBlock& block, std::span<const uint8_t> data) {
    const auto [rows, row_bytes] = token_rows(block, data);
    const std::span<const uint8_t> bytes = bytes_of(rows);
    if (!are_halves(block, row_bytes)) return {RowCodec::bytes, encode_bytes(bytes, row_bytes, unit_bytes(block))};
    std::vector<uint16_t> halves(rows.size() / 2);
    std::memcpy(halves.data(), rows.data(), rows.size());
    return {RowCodec::halves, encode_halves(halves, row_bytes / 2)};
}

int64_t token_row_bytes(const RowBlock& block) {
    return block.transposed ? block.n_rows * unit_bytes(block) : block.row_bytes;
}

void unpack_halves(const RowBlock& block, std::string_view packed, std::span<uint8_t> rows) {
    if (!are_halves(block, token_row_bytes(block))) throw FormatError("packed as half precision, which it is not");
    std::vector<uint16_t> halves(rows.size() / 2);
    decode_halves(packed, halves, token_row_bytes(block) / 2);
    std::memcpy(rows.data(), halves.data(), rows.size());
}

void unpack_numbers(const RowBlock& block, RowCodec codec, std::string_view packed, std::span<uint8_t> out) {
    std::vector<uint8_t> turned(block.transposed ? out.size() : 0);
    const std::span<uint8_t> rows = block.transposed ? std::span<uint8_t>(turned) : out;
    if (codec == RowCodec::halves)
        unpack_halves(block, packed, rows);
    else
        decode_bytes(packed, rows, token_row_bytes(block), unit_bytes(block));
    if (block.transposed) put_token_rows(block, rows, out);
}

void unpack_repeated(const RowBlock& block, std::string_view packed, std::span<uint8_t> out) {
    const auto n = static_cast<int64_t>(packed.size());
    if (n != unit_bytes(block) && n != block.row_bytes)
        throw FormatError(fmt::format("{} bytes are repeated, wanted {} or {}", n, unit_bytes(block), block.row_bytes));
    for (size_t i = 0; i < out.size(); i += packed.size())
        std::memcpy(out.data() + i, packed.data(), std::min(packed.size(), out.size() - i));
}

}  // namespace

std::string_view row_codec_name(RowCodec codec) {
    constexpr std::array<std::string_view, 4> names = {"stored", "repeated", "halves", "bytes"};
    return names[static_cast<size_t>(codec)];
}

std::vector<RowBlock> row_blocks(const KvState& state) {
    std::vector<RowBlock> blocks;
    for (size_t c = 0; c < state.caches.size(); c++) {
        const auto& streams = state.caches[c].streams;
        for (size_t s = 0; s < streams.size(); s++) {
            const KvStream& stream = streams[s];
            const auto n_cells = static_cast<int64_t>(stream.cells.size());
            const std::string where = fmt::format("{}{}", streams.size() > 1 ? fmt::format(", stream {}", s) : "",
                                                  state.caches.size() > 1 ? fmt::format(", cache {}", c) : "");
            for (size_t l = 0; l < stream.k.size(); l++)
                cut(blocks, whole_of(stream.k[l], n_cells, fmt::format("K of layer {}{}", l, where)));
            for (size_t l = 0; l < stream.v.size(); l++)
                cut(blocks, whole_of(stream.v[l], n_cells, fmt::format("V of layer {}{}", l, where)));
        }
    }
    return blocks;
}

std::vector<RowBlock> row_blocks(int32_t type, int64_t n_columns, int64_t size_bytes) {
    const auto engine_type = static_cast<ggml_type>(type);
    const int64_t row_bytes =
        n_columns % ggml_blck_size(engine_type) == 0 ? static_cast<int64_t>(ggml_row_size(engine_type, n_columns)) : 0;
    if (row_bytes == 0 || size_bytes % row_bytes != 0)
        throw UsageError(fmt::format("{} bytes are no whole number of rows of {} {} numbers", size_bytes, n_columns,
                                     ggml_type_name(engine_type)));
    std::vector<RowBlock> blocks;
    cut(blocks, {"rows", type, size_bytes / row_bytes, row_bytes, false, 0});
    return blocks;
}

PackedRows pack_rows(const RowBlock& block, std::span<const uint8_t> data) {
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    if (const int64_t period = period_of(block, data); period > 0)
        return {RowCodec::repeated, std::string(text.substr(0, static_cast<size_t>(period)))};
    PackedRows packed = pack_numbers(block, data);
    if (packed.bytes.size() < data.size()) return packed;
    return {RowCodec::stored, std::string(text)};
}

void unpack_rows(const RowBlock& block, RowCodec codec, std::string_view packed, std::span<uint8_t> out) try {
    switch (codec) {
        case RowCodec::stored:
            if (packed.size() != out.size())
                throw FormatError(fmt::format("{} bytes are stored, wanted {}", packed.size(), out.size()));
            std::memcpy(out.data(), packed.data(), packed.size());
            return;
        case RowCodec::repeated: return unpack_repeated(block, packed, out);
        case RowCodec::halves:
        case RowCodec::bytes: return unpack_numbers(block, codec, packed, out);
    }
    throw FormatError(fmt::format("codec {}, which this version does not know", static_cast<int>(codec)));
} catch (Error& error) {
    error.add_context(block.name);
    throw;
}

}  // namespace ech0
