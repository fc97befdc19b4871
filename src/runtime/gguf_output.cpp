#include "runtime/gguf_output.h"

#include <fmt/format.h>
#include <gguf.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/sha256.h"
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

namespace {

void write_tensors(const gguf_context* gguf, const TensorBytes& read, AtomicFile& file, Sha256& hash) {
    const auto put = [&](const void* data, size_t size) {
        file.write(data, size);
        hash.update(data, size);
    };
    std::vector<char> head(gguf_get_meta_size(gguf));
    gguf_get_meta_data(gguf, head.data());
    put(head.data(), head.size());
    for (int64_t i = 0; i < gguf_get_n_tensors(gguf); i++) {
        check_interrupt();
        std::vector<std::byte> scratch;
        const std::span<const std::byte> bytes = read(static_cast<size_t>(i), scratch);
        const size_t planned = gguf_get_tensor_size(gguf, i);
        if (bytes.size() != planned)
            throw Error(fmt::format("tensor {}: {} bytes made, {} planned", gguf_get_tensor_name(gguf, i), bytes.size(),
                                    planned));
        put(bytes.data(), bytes.size());
        const std::string zeros(GGML_PAD(planned, gguf_get_alignment(gguf)) - planned, '\0');
        put(zeros.data(), zeros.size());
    }
}

}  // namespace

std::string write_gguf(const gguf_context* gguf, const TensorBytes& read, const std::filesystem::path& target,
                       const Proof& proof) {
    AtomicFile file(target);
    file.expect_size(file_bytes(gguf));
    Sha256 written;
    write_tensors(gguf, read, file, written);
    file.flush();
    const std::string hash = written.hex();
    if (sha256_of_file(file.part()) != hash)
        throw FileError(fmt::format("{}: the disk gives back other bytes than were written", target.string()));
    const Model model = read_model(target.string(), {file.part()});
    if (proof) proof(model);
    file.commit();
    return hash;
}

void set_proof(gguf_context* gguf, const char* what) { gguf_set_val_str(gguf, "ech0.proof", what); }

}  // namespace ech0
