#include "support/raw_gguf.h"

#include <stdexcept>

#include <ggml-cpp.h>

namespace ech0 {

std::string RawGguf::little(uint64_t value, int size_bytes) {
    std::string out;
    for (int i = 0; i < size_bytes; i++) out.push_back(static_cast<char>(value >> (8 * i)));
    return out;
}

std::string RawGguf::sized(std::string_view text) { return little(text.size(), 8) + std::string(text); }

RawGguf& RawGguf::key(std::string_view name, int32_t type, std::string_view value_bytes) {
    keys_ += sized(name) + little(static_cast<uint32_t>(type), 4) + std::string(value_bytes);
    key_count_++;
    return *this;
}

RawGguf& RawGguf::text(std::string_view name, std::string_view value) {
    return key(name, GGUF_TYPE_STRING, sized(value));
}
RawGguf& RawGguf::number(std::string_view name, uint32_t value) {
    return key(name, GGUF_TYPE_UINT32, little(value, 4));
}

RawGguf& RawGguf::array(std::string_view name, int32_t element_type, uint64_t count, std::string_view element_bytes) {
    return key(name, GGUF_TYPE_ARRAY,
               little(static_cast<uint32_t>(element_type), 4) + little(count, 8) + std::string(element_bytes));
}

RawGguf& RawGguf::tensor(std::string_view name, const std::vector<int64_t>& shape, int32_t type, uint64_t offset) {
    tensors_ += sized(name) + little(shape.size(), 4);
    for (const int64_t size : shape) tensors_ += little(static_cast<uint64_t>(size), 8);
    tensors_ += little(static_cast<uint32_t>(type), 4) + little(offset, 8);
    tensor_count_++;
    return *this;
}

RawGguf& RawGguf::data(int64_t size_bytes) {
    data_bytes_ = size_bytes;
    return *this;
}

std::string RawGguf::bytes() const {
    std::string out = magic + little(version, 4) +
                      little(static_cast<uint64_t>(n_tensors < 0 ? tensor_count_ : n_tensors), 8) +
                      little(static_cast<uint64_t>(n_keys < 0 ? key_count_ : n_keys), 8) + keys_ + tensors_;
    if (data_bytes_ > 0) {
        const size_t align = static_cast<size_t>(alignment);
        out.resize((out.size() + align - 1) / align * align + static_cast<size_t>(data_bytes_), '\0');
    }
    return out;
}

void rewrite_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
                  const std::function<void(gguf_context*)>& edit_keys,
                  const std::function<bool(ggml_tensor*)>& edit_tensor) {
    ggml_context* raw_tensors = nullptr;
    const gguf_context_ptr source(gguf_init_from_file(from.c_str(), {false, &raw_tensors}));
    const ggml_context_ptr tensors(raw_tensors);
    if (!source) throw std::runtime_error("read " + from.string());
    const gguf_context_ptr target(gguf_init_empty());
    gguf_set_kv(target.get(), source.get());
    if (edit_keys) edit_keys(target.get());
    for (int64_t i = 0; i < gguf_get_n_tensors(source.get()); i++) {
        ggml_tensor* const tensor = ggml_get_tensor(tensors.get(), gguf_get_tensor_name(source.get(), i));
        if (!edit_tensor || edit_tensor(tensor)) gguf_add_tensor(target.get(), tensor);
    }
    if (!gguf_write_to_file(target.get(), to.c_str(), false)) throw std::runtime_error("write " + to.string());
}

}  // namespace ech0
