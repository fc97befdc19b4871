#include "runtime/gguf_output.h"

#include <fmt/format.h>
#include <gguf.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {

gguf_context_ptr copied_keys(const Model& model) {
    const gguf_context_ptr source(gguf_init_from_file(model.files.front().string().c_str(), {true, nullptr}));
    if (!source) throw engine_error("read the metadata of " + model.files.front().string());
    gguf_context_ptr copy(gguf_init_empty());
    gguf_set_kv(copy.get(), source.get());
    for (const char* key : {"split.no", "split.count", "split.tensors.count"}) gguf_remove_key(copy.get(), key);
    return copy;
}

int64_t file_bytes(const gguf_context* gguf) {
    const auto alignment = gguf_get_alignment(gguf);
    size_t bytes = gguf_get_meta_size(gguf);
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) bytes += GGML_PAD(gguf_get_tensor_size(gguf, i), alignment);
    return static_cast<int64_t>(bytes);
}

void write_gguf(const gguf_context* gguf, const TensorBytes& read, const std::filesystem::path& target) {
    AtomicFile file(target);
    file.expect_size(file_bytes(gguf));
    std::vector<char> head(gguf_get_meta_size(gguf));
    gguf_get_meta_data(gguf, head.data());
    file.write(head.data(), head.size());
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        check_interrupt();
        std::vector<std::byte> scratch;
        const std::span<const std::byte> bytes = read(static_cast<size_t>(i), scratch);
        if (bytes.size() != gguf_get_tensor_size(gguf, i))
            throw Error(fmt::format("tensor {}: {} bytes made, {} planned", gguf_get_tensor_name(gguf, i), bytes.size(),
                                    gguf_get_tensor_size(gguf, i)));
        file.write(bytes.data(), bytes.size());
        file.pad_to(static_cast<int64_t>(gguf_get_alignment(gguf)));
    }
    file.commit();
}

}  // namespace ech0
