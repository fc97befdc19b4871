#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <ggml.h>
#include <gguf.h>

namespace ech0 {

/// A GGUF file put together byte by byte, right or wrong as a test wants it.
class RawGguf {
public:
    uint32_t version = 3;
    std::string magic = "GGUF";
    int64_t n_tensors = -1, n_keys = -1;  ///< what the header claims; -1: the truth
    int64_t alignment = 32;               ///< of the data; a key must say it too if it is not 32

    RawGguf& key(std::string_view name, int32_t type, std::string_view value_bytes);
    RawGguf& text(std::string_view name, std::string_view value);
    RawGguf& number(std::string_view name, uint32_t value);
    RawGguf& array(std::string_view name, int32_t element_type, uint64_t count, std::string_view element_bytes);
    RawGguf& tensor(std::string_view name, const std::vector<int64_t>& shape, int32_t type, uint64_t offset);
    RawGguf& data(int64_t size_bytes);  ///< zeros, after padding

    std::string bytes() const;

    static std::string little(uint64_t value, int size_bytes);
    static std::string sized(std::string_view text);  ///< length u64, then the text

private:
    std::string keys_, tensors_;
    int64_t key_count_ = 0, tensor_count_ = 0, data_bytes_ = 0;
};

/// Copy a GGUF with other keys, or other tensors. `edit_keys` may set and remove keys. `edit_tensor` may change a
/// tensor's name, shape and type in place (the bytes stay) and returns whether to keep it.
void rewrite_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
                  const std::function<void(gguf_context*)>& edit_keys,
                  const std::function<bool(ggml_tensor*)>& edit_tensor = {});

}  // namespace ech0
