#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "runtime/source.h"

namespace ech0 {

/// What a compression has worked out so far, in a folder beside its output (`OUT.gguf.ech0-work`): statistics,
/// measurements, rounded tensors. Each piece is stored under the name of what it was made from, so a run that was
/// killed finds its pieces again, and a run with other options does not find the wrong ones.
class Workspace {
public:
    /// @param key  names everything that all pieces depend on (source, calibration text); another key empties the
    /// folder
    /// @throws FileError
    Workspace(std::filesystem::path folder, const std::string& key, bool fresh);

    std::filesystem::path path(const std::string& name) const { return folder_ / name; }
    std::optional<std::string> find_text(const std::string& name) const;
    void put_text(const std::string& name, const std::string& text) const;

    /// A tensor rounded to a type, from the folder or made now. The span stays valid as long as the Workspace.
    using Make = std::function<void(const std::function<void(std::span<const std::byte>)>& take)>;
    std::span<const std::byte> tensor(const Tensor& tensor, ggml_type type, const Make& make);

    /// A piece of exactly this size, if it is there; valid as long as the Workspace.
    std::span<const std::byte> find_piece(const std::string& name, size_t size);
    void put_piece(const std::string& name, std::span<const std::byte> bytes);

    /// This piece's pages are not needed for now.
    void release(const std::string& name) const;

    /// Forget rounded tensors that `needed` does not name, if they take more than `most_bytes` together.
    void trim(int64_t most_bytes, const std::function<bool(const std::string& piece)>& needed);
    static std::string piece_name(const Tensor& tensor, ggml_type type);

    /// The work is done: remove the folder.
    void remove() noexcept;

private:
    std::filesystem::path folder_;
    std::map<std::string, MappedFile> tensors_;
};

}  // namespace ech0
