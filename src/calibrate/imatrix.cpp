#include <fmt/format.h>
#include <ggml-cpp.h>
#include <gguf.h>

#include <cstring>

#include "base/file.h"
#include "ech0/calibration.h"
#include "ech0/error.h"
#include "model/gguf_file.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr const char* sums_suffix = ".in_sum2";
constexpr const char* counts_suffix = ".counts";

void set_keys(gguf_context* gguf, const Calibration& c) {
    const char* dataset = c.text_name.c_str();
    gguf_set_val_str(gguf, "general.type", "imatrix");
    gguf_set_arr_str(gguf, "imatrix.datasets", &dataset, 1);
    gguf_set_val_u32(gguf, "imatrix.chunk_count", static_cast<uint32_t>(c.n_ctx > 0 ? c.n_tokens / c.n_ctx : 0));
    gguf_set_val_u32(gguf, "imatrix.chunk_size", static_cast<uint32_t>(c.n_ctx));
    gguf_set_val_str(gguf, "ech0.calibration.source_sha256", c.source_sha256.c_str());
    gguf_set_val_str(gguf, "ech0.calibration.text_sha256", c.text_sha256.c_str());
    gguf_set_val_u64(gguf, "ech0.calibration.n_tokens", static_cast<uint64_t>(c.n_tokens));
}

void add_matrix(gguf_context* gguf, ggml_context* ctx, const std::string& name, int64_t n_cols, int64_t n_rows,
                const std::vector<float>& values) {
    ggml_tensor* tensor = ggml_new_tensor_2d(ctx, GGML_TYPE_F32, n_cols, n_rows);
    ggml_set_name(tensor, name.c_str());
    std::memcpy(tensor->data, values.data(), ggml_nbytes(tensor));
    gguf_add_tensor(gguf, tensor);
}

std::string get_string(const gguf_context* gguf, const char* key) {
    const int64_t id = gguf_find_key(gguf, key);
    return id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_STRING ? gguf_get_val_str(gguf, id) : "";
}

int64_t get_count(const gguf_context* gguf, const char* key) {
    const int64_t id = gguf_find_key(gguf, key);
    if (id < 0) return 0;
    if (gguf_get_kv_type(gguf, id) == GGUF_TYPE_UINT32) return gguf_get_val_u32(gguf, id);
    return gguf_get_kv_type(gguf, id) == GGUF_TYPE_UINT64 ? static_cast<int64_t>(gguf_get_val_u64(gguf, id)) : 0;
}

std::vector<float> floats_of(const ggml_tensor* tensor) {
    std::vector<float> values(static_cast<size_t>(ggml_nelements(tensor)));
    std::memcpy(values.data(), tensor->data, values.size() * sizeof(float));
    return values;
}

Calibration read_gguf_form(const std::filesystem::path& file) {
    read_gguf(file);  // its lengths and shapes hold, before ggml takes memory by them
    ggml_context* data = nullptr;
    const gguf_context_ptr gguf(gguf_init_from_file(file.string().c_str(), {false, &data}));
    const ggml_context_ptr ctx(data);
    if (!gguf || !ctx)
        throw FormatError(fmt::format("{}: not a readable GGUF: {}", file.string(), last_engine_message()));
    if (get_string(gguf.get(), "general.type") != "imatrix")
        throw FormatError(
            fmt::format("{}: general.type is '{}', wanted 'imatrix' (a file of llama-imatrix or of ech0 calibrate)",
                        file.string(), get_string(gguf.get(), "general.type")));
    Calibration c;
    c.source_sha256 = get_string(gguf.get(), "ech0.calibration.source_sha256");
    c.text_sha256 = get_string(gguf.get(), "ech0.calibration.text_sha256");
    c.text_name = file.filename().string();
    c.n_ctx = get_count(gguf.get(), "imatrix.chunk_size");
    const int64_t n_chunks = get_count(gguf.get(), "imatrix.chunk_count");
    if (__builtin_mul_overflow(n_chunks, c.n_ctx, &c.n_tokens) || n_chunks < 0 || c.n_ctx < 0)
        throw FormatError(
            fmt::format("{}: {} chunks of {} tokens: the file is damaged", file.string(), n_chunks, c.n_ctx));
    for (ggml_tensor* sums = ggml_get_first_tensor(ctx.get()); sums != nullptr;
         sums = ggml_get_next_tensor(ctx.get(), sums)) {
        const std::string name = sums->name;
        if (!name.ends_with(sums_suffix)) continue;
        const std::string weight = name.substr(0, name.size() - std::strlen(sums_suffix));
        const ggml_tensor* counts = ggml_get_tensor(ctx.get(), (weight + counts_suffix).c_str());
        if (counts == nullptr || ggml_nelements(counts) != ggml_nrows(sums) || sums->type != GGML_TYPE_F32 ||
            counts->type != GGML_TYPE_F32)
            throw FormatError(fmt::format("{}: {} has no {}{} of {} float32 beside it", file.string(), name, weight,
                                          counts_suffix, ggml_nrows(sums)));
        c.tensors.push_back({weight, sums->ne[0], ggml_nrows(sums), floats_of(sums), floats_of(counts)});
    }
    return c;
}

/// Bytes of a file that are taken from the front, each take checked.
class Cursor {
public:
    Cursor(const MappedFile& file) : file_(file) {}
    template <class T>
    T take() {
        T value;
        std::memcpy(&value, need(sizeof(T)), sizeof(T));
        return value;
    }
    const uint8_t* need(int64_t n) {
        if (n < 0 || n > file_.size_bytes() - at_)
            throw FormatError(
                fmt::format("{}: ends at byte {}, {} more wanted", file_.path().string(), file_.size_bytes(), n));
        const uint8_t* p = file_.data() + at_;
        at_ += n;
        return p;
    }
    bool at_end() const { return at_ == file_.size_bytes(); }

private:
    const MappedFile& file_;
    int64_t at_ = 0;
};

/// The form before GGUF: count, then per entry name, number of chunks, and mean square times that number.
Calibration read_legacy(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    Cursor in(mapped);
    const auto n_entries = in.take<int32_t>();
    if (n_entries < 1)
        throw FormatError(fmt::format("{}: neither GGUF nor an imatrix ({} entries)", file.string(), n_entries));
    Calibration c;
    c.text_name = file.filename().string();
    for (int32_t i = 0; i < n_entries; i++) {
        const auto name_bytes = in.take<int32_t>();
        const std::string name(reinterpret_cast<const char*>(in.need(name_bytes)), static_cast<size_t>(name_bytes));
        const auto n_calls = in.take<int32_t>();
        const auto n_values = in.take<int32_t>();
        if (n_calls < 1 || n_values < 1)
            throw FormatError(
                fmt::format("{}: entry {} has {} values of {} chunks", file.string(), name, n_values, n_calls));
        const uint8_t* const bytes = in.need(int64_t{n_values} * 4);
        std::vector<float> values(static_cast<size_t>(n_values));
        std::memcpy(values.data(), bytes, values.size() * sizeof(float));
        // How many matrices the values belong to is not stored: they are cut when a tensor asks (see
        // compress/importance).
        c.tensors.push_back({name, n_values, 1, std::move(values), {static_cast<float>(n_calls)}});
    }
    return c;
}

}  // namespace

void write_imatrix(const Calibration& calibration, const std::filesystem::path& file) {
    size_t bytes = 0;
    for (const Importance& t : calibration.tensors)
        bytes += (t.sum_square.size() + t.count.size()) * sizeof(float) + 2 * (ggml_tensor_overhead() + 64);
    const gguf_context_ptr gguf(gguf_init_empty());
    const ggml_context_ptr ctx(ggml_init({bytes + 1024, nullptr, false}));
    set_keys(gguf.get(), calibration);
    for (const Importance& t : calibration.tensors) {
        add_matrix(gguf.get(), ctx.get(), t.tensor + sums_suffix, t.n_cols, t.n_mat, t.sum_square);
        add_matrix(gguf.get(), ctx.get(), t.tensor + counts_suffix, 1, t.n_mat, t.count);
    }
    // ggml writes GGUF to paths only, without telling why it failed: let it fill memory, and write that ourselves.
    std::vector<char> meta(gguf_get_meta_size(gguf.get()));
    gguf_get_meta_data(gguf.get(), meta.data());
    AtomicFile out(file);
    out.write(meta.data(), meta.size());
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); i++) {
        const ggml_tensor* tensor = ggml_get_tensor(ctx.get(), gguf_get_tensor_name(gguf.get(), i));
        out.write(tensor->data, ggml_nbytes(tensor));
        out.pad_to(static_cast<int64_t>(gguf_get_alignment(gguf.get())));
    }
    out.commit();
}

Calibration read_imatrix(const std::filesystem::path& file) {
    start_engine();
    const std::string head = [&] {
        const MappedFile mapped(file);
        return std::string(reinterpret_cast<const char*>(mapped.data()),
                           static_cast<size_t>(std::min<int64_t>(4, mapped.size_bytes())));
    }();
    return head == "GGUF" ? read_gguf_form(file) : read_legacy(file);
}

}  // namespace ech0
