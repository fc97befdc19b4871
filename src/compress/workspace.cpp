#include "compress/workspace.h"

#include <fmt/format.h>

#include "base/sha256.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace fs = std::filesystem;

Workspace::Workspace(fs::path folder, const std::string& key, bool fresh) : folder_(std::move(folder)) {
    std::error_code error;
    const std::string stamp = sha256(key);
    if (fresh || find_text("key") != stamp) fs::remove_all(folder_, error);
    fs::create_directories(folder_, error);
    if (error)
        throw FileError(
            fmt::format("{}: cannot make this folder for intermediate results: {}", folder_.string(), error.message()));
    if (find_text("key") != stamp) put_text("key", stamp);
}

std::optional<std::string> Workspace::find_text(const std::string& name) const {
    std::error_code error;
    if (!fs::is_regular_file(folder_ / name, error)) return std::nullopt;
    return read_file(folder_ / name);
}

void Workspace::put_text(const std::string& name, const std::string& text) const { write_file(folder_ / name, text); }

std::string Workspace::piece_name(const Tensor& tensor, ggml_type type) {
    return fmt::format("{}.{}", tensor.name, type_label(type));
}

std::span<const std::byte> Workspace::tensor(const Tensor& tensor, ggml_type type, const Make& make) {
    const std::string name = piece_name(tensor, type);
    const size_t size = ggml_row_size(type, tensor.n_cols()) * static_cast<size_t>(tensor.n_rows());
    if (const auto known = find_piece(name, size); !known.empty()) return known;
    AtomicFile file(folder_ / name);
    make([&](std::span<const std::byte> bytes) { file.write(bytes.data(), bytes.size()); });
    file.commit();
    return find_piece(name, size);
}

std::span<const std::byte> Workspace::find_piece(const std::string& name, size_t size) {
    auto found = tensors_.find(name);
    if (found == tensors_.end()) {
        std::error_code error;
        if (!fs::exists(folder_ / name, error) || fs::file_size(folder_ / name, error) != size) return {};
        found = tensors_.emplace(name, MappedFile(folder_ / name)).first;
    }
    return {reinterpret_cast<const std::byte*>(found->second.data()), size};
}

void Workspace::put_piece(const std::string& name, std::span<const std::byte> bytes) {
    write_file(folder_ / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void Workspace::release(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) found->second.release(0, found->second.size_bytes());
}

void Workspace::trim(int64_t most_bytes, const std::function<bool(const std::string&)>& needed) {
    int64_t bytes = 0;
    for (const auto& [name, file] : tensors_) bytes += file.size_bytes();
    if (bytes <= most_bytes) return;
    std::erase_if(tensors_, [&](const auto& entry) {
        if (needed(entry.first)) return false;
        std::error_code error;
        fs::remove(folder_ / entry.first, error);
        return true;
    });
}

void Workspace::remove() noexcept {
    tensors_.clear();
    std::error_code error;
    fs::remove_all(folder_, error);
}

}  // namespace ech0
