#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "ech0/error.h"
#include "ech0/model.h"

namespace ech0 {

/// A key of the metadata, with the types it is stored as.
struct GgufEntry {
    int32_t type = 0;          ///< gguf_type
    int32_t element_type = 0;  ///< gguf_type of an array's elements
    int64_t offset_bytes = 0;  ///< of the value, or of an array's first element
    MetaValue value;

    bool is_string_array() const;
};

/// One GGUF file, opened and read: its keys and its tensor index. The bytes are mapped, not loaded.
struct GgufFile {
    MappedFile file;
    uint32_t version = 0;
    int64_t alignment_bytes = 0;
    int64_t data_offset_bytes = 0;  ///< where the first tensor begins
    std::map<std::string, GgufEntry, std::less<>> entries;
    std::vector<Tensor> tensors;  ///< in file order; `part` is 0

    const GgufEntry* find(std::string_view key) const;
    /// All strings of an array of strings, as views into the file.
    std::vector<std::string_view> strings(const GgufEntry& entry) const;
    /// An error about this file, for the line that starts with its path.
    FormatError error(std::string_view what) const;
};

/// Read a GGUF of version 2 or 3. A file is hostile until shown otherwise: every length, count, type, shape and offset
/// is checked against the file's size before it is used, and nothing is allocated on a file's word alone. What passes
/// here also passes the engine's own reader (ggml/src/gguf.cpp, whose rules these are, plus those of llama-mmap).
/// @throws FormatError naming the file, the thing, the value found, the value wanted and a remedy; FileError
GgufFile read_gguf(const std::filesystem::path& path);

}  // namespace ech0
