#include "model/gguf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>
#include <gguf.h>

#include "base/text.h"

// The layout, from ggml/include/gguf.h (all numbers little-endian):
//
//   "GGUF"  version u32  n_tensors i64  n_keys i64
//   n_keys times:     name string, type i32, value          string = length u64, bytes
//   n_tensors times:  name string, n_dims u32, n_dims dimensions i64, type i32, offset u64
//   padding to general.alignment, then the tensors' bytes, each padded, in the order of the index

namespace ech0 {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies in the file");

// How many numbers of an array are kept: enough for a value per layer, not for a score per token.
constexpr int64_t kept_numbers = 4096;
constexpr int64_t kept_strings = 16;

// Limit of ggml's reader (GGUF_MAX_STRING_LENGTH, GGUF_MAX_ARRAY_ELEMENTS).
constexpr uint64_t most_elements = uint64_t{1} << 30;

// Moves through the file and refuses to leave it.
class Cursor {
public:
    Cursor(const GgufFile& gguf, int64_t at) : gguf_(gguf), at_(at) {}

    int64_t at() const { return at_; }
    int64_t left_bytes() const { return gguf_.file.size_bytes() - at_; }

    void skip(uint64_t size, std::string_view thing) { take(size, thing); }

    template <typename T>
    T read(std::string_view thing) {
        T value;
        std::memcpy(&value, take(sizeof(T), thing), sizeof(T));
        return value;
    }

    std::string_view read_string(std::string_view thing) {
        const uint64_t size = read<uint64_t>(thing);
        if (size >= most_elements) {
            throw gguf_.error(
                fmt::format("{} claims a length of {} bytes, more than the {} a string may have: the file is damaged",
                            thing, size, most_elements));
        }
        return {reinterpret_cast<const char*>(take(size, thing)), static_cast<size_t>(size)};
    }

private:
    const uint8_t* take(uint64_t size, std::string_view thing) {
        if (size > static_cast<uint64_t>(left_bytes())) {
            throw gguf_.error(
                fmt::format("the file ends at byte {}, inside {}, which needs {} bytes from byte {}: "
                            "the download is incomplete or the file is damaged",
                            gguf_.file.size_bytes(), thing, size, at_));
        }
        const uint8_t* const here = gguf_.file.data() + at_;
        at_ += static_cast<int64_t>(size);
        return here;
    }

    const GgufFile& gguf_;
    int64_t at_;
};

int64_t scalar_size_bytes(int32_t type) {
    switch (type) {
        case GGUF_TYPE_UINT8:
        case GGUF_TYPE_INT8:
        case GGUF_TYPE_BOOL: return 1;
        case GGUF_TYPE_UINT16:
        case GGUF_TYPE_INT16: return 2;
        case GGUF_TYPE_UINT32:
        case GGUF_TYPE_INT32:
        case GGUF_TYPE_FLOAT32: return 4;
        case GGUF_TYPE_UINT64:
        case GGUF_TYPE_INT64:
        case GGUF_TYPE_FLOAT64: return 8;
        default: return 0;
    }
}

MetaScalar read_scalar(Cursor& in, int32_t type, std::string_view thing) {
    switch (type) {
        case GGUF_TYPE_UINT8: return uint64_t{in.read<uint8_t>(thing)};
        case GGUF_TYPE_UINT16: return uint64_t{in.read<uint16_t>(thing)};
        case GGUF_TYPE_UINT32: return uint64_t{in.read<uint32_t>(thing)};
        case GGUF_TYPE_UINT64: return in.read<uint64_t>(thing);
        case GGUF_TYPE_INT8: return int64_t{in.read<int8_t>(thing)};
        case GGUF_TYPE_INT16: return int64_t{in.read<int16_t>(thing)};
        case GGUF_TYPE_INT32: return int64_t{in.read<int32_t>(thing)};
        case GGUF_TYPE_INT64: return in.read<int64_t>(thing);
        case GGUF_TYPE_FLOAT32: return double{in.read<float>(thing)};
        case GGUF_TYPE_FLOAT64: return in.read<double>(thing);
        case GGUF_TYPE_BOOL: return in.read<int8_t>(thing) != 0;
        default: return std::string(in.read_string(thing));  // the caller let only strings come here
    }
}

bool is_value_type(int32_t type) { return type == GGUF_TYPE_STRING || scalar_size_bytes(type) > 0; }

void read_array(const GgufFile& gguf, Cursor& in, GgufEntry& entry, std::string_view thing) {
    const uint64_t count = in.read<uint64_t>(thing);
    const int64_t least_bytes = entry.element_type == GGUF_TYPE_STRING ? 8 : scalar_size_bytes(entry.element_type);
    if (count >= most_elements || static_cast<int64_t>(count) > in.left_bytes() / least_bytes) {
        throw gguf.error(
            fmt::format("{} claims {} elements, and {} bytes are left in the file: "
                        "the download is incomplete or the file is damaged",
                        thing, count, in.left_bytes()));
    }
    entry.offset_bytes = in.at();
    entry.value.is_array = true;
    entry.value.array_size = static_cast<int64_t>(count);
    if (entry.element_type == GGUF_TYPE_STRING) {
        for (int64_t i = 0; i < entry.value.array_size; i++) {
            const std::string_view text = in.read_string(thing);
            if (i < kept_strings) entry.value.elements.emplace_back(std::string(text));
        }
    } else if (entry.value.array_size <= kept_numbers) {
        for (int64_t i = 0; i < entry.value.array_size; i++) {
            entry.value.elements.push_back(read_scalar(in, entry.element_type, thing));
        }
    } else {
        in.skip(count * static_cast<uint64_t>(least_bytes), thing);
    }
}

void read_entry(GgufFile& gguf, Cursor& in, int64_t number) {
    const std::string_view key = in.read_string(fmt::format("the name of key {}", number));
    if (key.empty()) throw gguf.error(fmt::format("key {} has no name: the file is damaged", number));
    const std::string thing = fmt::format("key '{}'", printable(key));

    GgufEntry entry;
    entry.type = in.read<int32_t>(thing);
    if (entry.type == GGUF_TYPE_ARRAY) {
        entry.element_type = in.read<int32_t>(thing);
        if (!is_value_type(entry.element_type)) {
            throw gguf.error(fmt::format("{} is an array of type {}, wanted one of 0 to {} but {}: the file is damaged",
                                         thing, entry.element_type, GGUF_TYPE_COUNT - 1,
                                         static_cast<int>(GGUF_TYPE_ARRAY)));
        }
        read_array(gguf, in, entry, thing);
    } else {
        if (!is_value_type(entry.type)) {
            throw gguf.error(fmt::format("{} has type {}, wanted one of 0 to {}: the file is damaged", thing,
                                         entry.type, GGUF_TYPE_COUNT - 1));
        }
        entry.offset_bytes = in.at();
        entry.value.scalar = read_scalar(in, entry.type, thing);
    }
    if (!gguf.entries.emplace(std::string(key), std::move(entry)).second) {
        throw gguf.error(fmt::format("{} appears twice: the file is damaged", thing));
    }
}

// What people download instead of a model, by how it begins.
std::string_view mistaken_for(std::string_view start) {
    if (start.starts_with("version https://git-lfs"))
        return "this is a Git LFS pointer: fetch the file itself (git lfs pull)";
    if (start.starts_with("<")) return "this is a web page: fetch the file itself, not the page that shows it";
    if (start.starts_with("PK")) return "this is a zip archive (a PyTorch file?): unpack or convert it to GGUF first";
    if (start.size() > 8 && start[8] == '{')
        return "this is a safetensors file: convert it to GGUF first (llama.cpp's convert_hf_to_gguf.py)";
    if (start.starts_with("lmgg") || start.starts_with("tjgg") || start.starts_with("fmgg")) {
        return "this is a model of before August 2023: fetch it as GGUF";
    }
    if (start.starts_with(std::string_view("\0\0\0\0", 4))) return "the download is incomplete: fetch it again";
    return "this is no GGUF model";
}

void check_magic(const GgufFile& gguf) {
    const std::string_view start(reinterpret_cast<const char*>(gguf.file.data()),
                                 static_cast<size_t>(std::min<int64_t>(gguf.file.size_bytes(), 32)));
    if (start.starts_with("GGUF")) return;
    if (std::string_view("GGUF").starts_with(start)) {
        throw gguf.error(
            fmt::format("the file has {} bytes, too few for a model: the download is incomplete", start.size()));
    }
    throw gguf.error(
        fmt::format("it begins with '{}', wanted 'GGUF': {}", printable(start.substr(0, 4)), mistaken_for(start)));
}

void check_version(const GgufFile& gguf) {
    if (gguf.version == 2 || gguf.version == 3) return;
    const std::string_view why = (gguf.version & 0xFFFF) == 0
                                     ? "it was made for a big-endian machine; convert it again for this one"
                                 : gguf.version == 1 ? "the engine no longer reads that; fetch a newer conversion"
                                                     : "the file is damaged, or needs a newer ech0";
    throw gguf.error(fmt::format("GGUF version {}, wanted 2 or 3: {}", gguf.version, why));
}

int64_t read_alignment(const GgufFile& gguf) {
    const GgufEntry* const entry = gguf.find(GGUF_KEY_GENERAL_ALIGNMENT);
    if (entry == nullptr) return GGUF_DEFAULT_ALIGNMENT;
    if (entry->type != GGUF_TYPE_UINT32) {
        throw gguf.error(fmt::format("key '{}' has type {}, wanted {} (u32): the file is damaged",
                                     GGUF_KEY_GENERAL_ALIGNMENT, entry->type, static_cast<int>(GGUF_TYPE_UINT32)));
    }
    const uint64_t alignment = std::get<uint64_t>(entry->value.scalar);
    // The engine needs a power of two, and asserts that mapped tensors lie at multiples of 32.
    if (!std::has_single_bit(alignment) || alignment < GGUF_DEFAULT_ALIGNMENT) {
        throw gguf.error(fmt::format("key '{}' is {}, wanted a power of two of at least {}: the file is damaged",
                                     GGUF_KEY_GENERAL_ALIGNMENT, alignment, GGUF_DEFAULT_ALIGNMENT));
    }
    return static_cast<int64_t>(alignment);
}

std::vector<int64_t> read_shape(const GgufFile& gguf, Cursor& in, const std::string& thing) {
    const uint32_t n_dims = in.read<uint32_t>(thing);
    if (n_dims < 1 || n_dims > GGML_MAX_DIMS) {
        throw gguf.error(
            fmt::format("{} has {} dimensions, wanted 1 to {}: the file is damaged", thing, n_dims, GGML_MAX_DIMS));
    }
    std::vector<int64_t> shape;
    for (uint32_t i = 0; i < n_dims; i++) shape.push_back(in.read<int64_t>(thing));
    return shape;
}

// The number of elements, once it is known to be one.
int64_t count_elements(const GgufFile& gguf, const std::vector<int64_t>& shape, const std::string& thing) {
    int64_t count = 1;
    for (const int64_t size : shape) {
        // As ggml has it: the product stays below INT64_MAX, strictly.
        if (size < 1 || size >= std::numeric_limits<int64_t>::max() / count) {
            throw gguf.error(
                fmt::format("{} has shape {}, wanted positive sizes whose product fits 63 bits: the file is damaged",
                            thing, shape));
        }
        count *= size;
    }
    return count;
}

void check_type(const GgufFile& gguf, const Tensor& tensor, const std::string& thing) {
    const bool in_range = tensor.type >= 0 && tensor.type < GGML_TYPE_COUNT;
    const ggml_type type = static_cast<ggml_type>(in_range ? tensor.type : 0);
    if (!in_range) {
        throw gguf.error(
            fmt::format("{} has type {}, and this engine knows 0 to {}: the file is damaged, or needs a newer ech0",
                        thing, tensor.type, GGML_TYPE_COUNT - 1));
    }
    if (ggml_blck_size(type) == 0 || ggml_type_size(type) == 0) {
        throw gguf.error(fmt::format("{} has type {} ({}), which llama.cpp no longer reads: fetch a newer conversion",
                                     thing, tensor.type, ggml_type_name(type)));
    }
    if (tensor.n_cols() % ggml_blck_size(type) != 0) {
        throw gguf.error(fmt::format("{}: {} columns, not a multiple of {} as {} needs: the file is damaged", thing,
                                     tensor.n_cols(), ggml_blck_size(type), ggml_type_name(type)));
    }
}

Tensor read_tensor(const GgufFile& gguf, Cursor& in, int64_t number) {
    const std::string_view name = in.read_string(fmt::format("the name of tensor {}", number));
    const std::string thing = fmt::format("tensor {}", printable(name));
    if (name.empty() || name.size() >= GGML_MAX_NAME) {
        throw gguf.error(fmt::format("the name of tensor {} has {} bytes, wanted 1 to {}: the file is damaged", number,
                                     name.size(), GGML_MAX_NAME - 1));
    }
    if (name.find('\0') != std::string_view::npos) {
        throw gguf.error(fmt::format("{} has a zero byte in its name: the file is damaged", thing));
    }
    Tensor tensor;
    tensor.name = name;
    tensor.shape = read_shape(gguf, in, thing);
    tensor.n_elements = count_elements(gguf, tensor.shape, thing);
    tensor.type = in.read<int32_t>(thing);
    check_type(gguf, tensor, thing);
    const ggml_type type = static_cast<ggml_type>(tensor.type);
    tensor.type_name = ggml_type_name(type);

    // Only now that the blocks are known to have an addressable size may ggml multiply.
    const int64_t most_blocks = std::numeric_limits<int64_t>::max() / 2 / static_cast<int64_t>(ggml_type_size(type));
    if (tensor.n_elements / ggml_blck_size(type) > most_blocks || tensor.n_cols() > most_blocks) {
        throw gguf.error(fmt::format("{} has shape {} of {}, too large to address: the file is damaged", thing,
                                     tensor.shape, tensor.type_name));
    }
    tensor.size_bytes = static_cast<int64_t>(ggml_row_size(type, tensor.n_cols())) * tensor.n_rows();
    const uint64_t offset = in.read<uint64_t>(thing);
    if (offset > static_cast<uint64_t>(std::numeric_limits<int64_t>::max() / 2)) {
        throw gguf.error(fmt::format("{} lies at offset {}, too large to address: the file is damaged", thing, offset));
    }
    tensor.offset_bytes = static_cast<int64_t>(offset);  // from the data's beginning, until place_tensors
    return tensor;
}

int64_t padded(int64_t size, int64_t alignment) { return (size + alignment - 1) / alignment * alignment; }

// Tensors lie one after another in the order of the index, each padded; offsets become those of the file.
void place_tensors(GgufFile& gguf) {
    int64_t next = 0, end = 0;
    for (Tensor& tensor : gguf.tensors) {
        if (tensor.offset_bytes != next) {
            throw gguf.error(
                fmt::format("tensor {} lies at offset {}, wanted {}, where the one before it ends: the file is damaged",
                            printable(tensor.name), tensor.offset_bytes, next));
        }
        end = next + tensor.size_bytes;  // both below 2^62
        next = padded(end, gguf.alignment_bytes);
        if (next > std::numeric_limits<int64_t>::max() / 2) {
            throw gguf.error(fmt::format("the tensors up to {} are too large to address: the file is damaged",
                                         printable(tensor.name)));
        }
        tensor.offset_bytes += gguf.data_offset_bytes;
    }
    const int64_t needed_bytes = gguf.data_offset_bytes + end;
    if (!gguf.tensors.empty() && needed_bytes > gguf.file.size_bytes()) {
        throw gguf.error(
            fmt::format("the file is {} bytes, its index needs {}: the download is incomplete; fetch it again",
                        gguf.file.size_bytes(), needed_bytes));
    }
}

void read_tensors(GgufFile& gguf, Cursor& in, int64_t n_tensors) {
    std::set<std::string_view> names;
    for (int64_t i = 0; i < n_tensors; i++) gguf.tensors.push_back(read_tensor(gguf, in, i));
    for (const Tensor& tensor : gguf.tensors) {
        if (!names.insert(tensor.name).second) {
            throw gguf.error(fmt::format("tensor {} appears twice: the file is damaged", printable(tensor.name)));
        }
    }
}

}  // namespace

bool GgufEntry::is_string_array() const { return type == GGUF_TYPE_ARRAY && element_type == GGUF_TYPE_STRING; }

const GgufEntry* GgufFile::find(std::string_view key) const {
    const auto found = entries.find(key);
    return found == entries.end() ? nullptr : &found->second;
}

std::vector<std::string_view> GgufFile::strings(const GgufEntry& entry) const {
    std::vector<std::string_view> out;
    if (!entry.is_string_array()) return out;
    Cursor in(*this, entry.offset_bytes);
    out.reserve(static_cast<size_t>(entry.value.array_size));
    for (int64_t i = 0; i < entry.value.array_size; i++) out.push_back(in.read_string("a string"));
    return out;
}

FormatError GgufFile::error(std::string_view what) const {
    return FormatError(fmt::format("{}: {}", printable(file.path().string(), 400), what));
}

GgufFile read_gguf(const std::filesystem::path& path) {
    GgufFile gguf{MappedFile(path), 0, 0, 0, {}, {}};
    check_magic(gguf);
    Cursor in(gguf, 4);
    gguf.version = in.read<uint32_t>("the header");
    check_version(gguf);
    const int64_t n_tensors = in.read<int64_t>("the header");
    const int64_t n_keys = in.read<int64_t>("the header");
    if (n_tensors < 0 || n_keys < 0) {
        throw gguf.error(
            fmt::format("the header claims {} tensors and {} keys: the file is damaged", n_tensors, n_keys));
    }
    for (int64_t i = 0; i < n_keys; i++) read_entry(gguf, in, i);
    gguf.alignment_bytes = read_alignment(gguf);
    read_tensors(gguf, in, n_tensors);
    gguf.data_offset_bytes = n_tensors > 0 ? padded(in.at(), gguf.alignment_bytes) : in.at();
    place_tensors(gguf);
    return gguf;
}

}  // namespace ech0
