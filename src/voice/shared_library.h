#pragma once

#include <filesystem>
#include <string>

namespace ech0 {

/// A shared library that was opened while the program runs; closed with the object.
class SharedLibrary {
public:
    /// @throws FileError with the loader's reason
    explicit SharedLibrary(const std::filesystem::path& file);
    ~SharedLibrary();
    SharedLibrary(SharedLibrary&& other) noexcept;
    SharedLibrary& operator=(SharedLibrary&&) = delete;

    /// A function of it.
    /// @throws FileError if it has none of that name
    template <class Function>
    Function function(const char* name) const {
        return reinterpret_cast<Function>(address(name));
    }

private:
    void* address(const char* name) const;

    std::filesystem::path file_;
    void* handle_ = nullptr;
};

}  // namespace ech0
