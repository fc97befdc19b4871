#include "voice/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

std::string loader_reason() {
    const char* const reason = dlerror();
    return printable(reason == nullptr ? "no reason given" : reason, 300);
}

}  // namespace

SharedLibrary::SharedLibrary(const std::filesystem::path& file) : file_(file) {
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr)
        throw FileError(fmt::format("{}: can't be loaded ({}); 'ech0 setup --voice' fetches it anew", file.string(),
                                    loader_reason()));
}

SharedLibrary::~SharedLibrary() {
    if (handle_ != nullptr) dlclose(handle_);
}

SharedLibrary::SharedLibrary(SharedLibrary&& other) noexcept
    : file_(std::move(other.file_)), handle_(std::exchange(other.handle_, nullptr)) {}

void* SharedLibrary::address(const char* name) const {
    void* const found = dlsym(handle_, name);
    if (found == nullptr)
        throw FileError(
            fmt::format("{}: has no function {}; 'ech0 setup --voice' fetches another", file_.string(), name));
    return found;
}

}  // namespace ech0
