#include "base/spill.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "ech0/error.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

int64_t bytes_of(size_t n) { return static_cast<int64_t>(n * sizeof(float)); }

FileError failed(const char* doing, const std::filesystem::path& folder, int64_t bytes) {
    const int code = errno;
    return FileError(fmt::format("{} intermediate results ({}) in {}: {}{}", doing, format_disk(bytes), folder.string(),
                                 std::generic_category().message(code),
                                 code == ENOSPC ? "; make room, or give more --memory" : ""));
}

/// A file that is gone from its folder as soon as it is open.
int open_unnamed(const std::filesystem::path& folder) {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    std::string name = (folder / "spill-XXXXXX").string();
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) throw failed("make a file for", folder, 0);
    ::unlink(name.c_str());
    return fd;
}

}  // namespace

Spill::Spill(std::filesystem::path folder, int64_t memory_bytes)
    : folder_(std::move(folder)), allowance_(memory_bytes) {}

Spill::~Spill() {
    if (fd_ >= 0) ::close(fd_);
}

bool Spill::take_memory(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes > allowance_) return false;
    allowance_ -= bytes;
    return true;
}

void Spill::give_memory(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    allowance_ += bytes;
}

int64_t Spill::take_place(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (fd_ < 0) fd_ = open_unnamed(folder_);
    if (const auto found = free_places_.find(bytes); found != free_places_.end()) {
        const int64_t offset = found->second;
        free_places_.erase(found);
        return offset;
    }
    end_ += bytes;
    return end_ - bytes;
}

void Spill::give_place(int64_t offset, int64_t bytes) {
    const std::lock_guard lock(mutex_);
    free_places_.emplace(bytes, offset);
}

void Spill::write(int64_t offset, std::span<const float> values) {
    const auto* at = reinterpret_cast<const char*>(values.data());
    for (size_t left = values.size_bytes(); left > 0;) {
        const ssize_t n = ::pwrite(fd_, at, left, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw failed("write", folder_, bytes_of(values.size()));
        at += n, offset += n, left -= static_cast<size_t>(n);
    }
}

void Spill::read(int64_t offset, std::span<float> values) const {
    auto* at = reinterpret_cast<char*>(values.data());
    for (size_t left = values.size_bytes(); left > 0;) {
        const ssize_t n = ::pread(fd_, at, left, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw failed("read back", folder_, bytes_of(values.size()));
        at += n, offset += n, left -= static_cast<size_t>(n);
    }
}

FloatArrays::~FloatArrays() {
    for (Place& place : places_) leave(place);
}

FloatArrays& FloatArrays::operator=(FloatArrays&& other) noexcept {
    std::swap(spill_, other.spill_);
    std::swap(places_, other.places_);
    std::swap(shown_, other.shown_);
    return *this;
}

void FloatArrays::leave(Place& place) noexcept {
    if (place.offset >= 0)
        spill_->give_place(place.offset, bytes_of(place.n));
    else if (spill_)
        spill_->give_memory(bytes_of(place.n));
    place = {};
}

void FloatArrays::put(size_t i, std::span<const float> values) {
    if (i == places_.size()) places_.emplace_back();
    Place& place = places_.at(i);
    const int64_t bytes = bytes_of(values.size());
    if (place.n != values.size()) {
        if (place.n > 0) leave(place);
        if (spill_ && !spill_->take_memory(bytes)) place.offset = spill_->take_place(bytes);
        place.n = values.size();
    }
    if (place.offset >= 0)
        spill_->write(place.offset, values);
    else
        place.memory.assign(values.begin(), values.end());
}

std::span<const float> FloatArrays::operator[](size_t i) const {
    const Place& place = places_.at(i);
    if (place.offset < 0) return place.memory;
    shown_.resize(place.n);
    spill_->read(place.offset, shown_);
    return shown_;
}

}  // namespace ech0
