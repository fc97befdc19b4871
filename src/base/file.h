#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace ech0 {

/// A whole file, mapped for reading. Pages come from disk as they are touched and can be let go again, so that a file
/// larger than memory can be walked through.
class MappedFile {
public:
    /// @throws FileError naming the file and the system's reason
    explicit MappedFile(std::filesystem::path path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;

    const std::filesystem::path& path() const { return path_; }
    const uint8_t* data() const { return data_; }
    int64_t size_bytes() const { return size_bytes_; }
    std::span<const uint8_t> bytes() const { return {data_, static_cast<size_t>(size_bytes_)}; }

    /// These bytes are not needed for now: give their memory back (they are read again when touched).
    void release(int64_t offset_bytes, int64_t size_bytes) const;
    /// These bytes are needed soon: start reading them.
    void prefetch(int64_t offset_bytes, int64_t size_bytes) const;

private:
    void unmap() noexcept;

    std::filesystem::path path_;
    uint8_t* data_ = nullptr;
    int64_t size_bytes_ = 0;
};

/// A file that appears under its name only when it is whole. Until `commit` the bytes go to `.NAME.ech0-part` beside
/// the target; without a commit that one is removed. One left over by a killed program is written over by the next.
class AtomicFile {
public:
    /// @throws FileError if the folder can't be written, or another process is writing the same target
    explicit AtomicFile(std::filesystem::path target);
    ~AtomicFile();
    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&&) = delete;

    const std::filesystem::path& target() const { return target_; }
    /// Where the bytes are until they are committed.
    const std::filesystem::path& part() const { return part_; }
    int64_t size_bytes() const { return size_bytes_; }

    /// Fail now rather than after an hour if the disk has no room for a file of this size.
    /// @throws FileError naming the bytes needed and the bytes free
    void expect_size(int64_t size_bytes);

    /// Append.
    /// @throws FileError; on a full disk with the bytes needed and free
    void write(const void* data, size_t size);
    void write(std::string_view text) { write(text.data(), text.size()); }
    /// Append zeros up to a multiple of `alignment`.
    void pad_to(int64_t alignment);
    /// Write over bytes that are already there (a header whose numbers were not known before).
    void write_at(int64_t offset_bytes, const void* data, size_t size);

    /// What was written is on the disk, and whoever reads it now reads it from there.
    /// @throws FileError
    void flush();

    /// Flush to the disk, give the file its name, flush the folder. Replaces a file of that name.
    /// @throws FileError
    void commit();

private:
    void open_part();
    void write_all(int64_t offset_bytes, const void* data, size_t size);
    void close_part() noexcept;

    std::filesystem::path target_, part_;
    int fd_ = -1;
    int64_t size_bytes_ = 0;
    int64_t expected_bytes_ = 0;
};

/// Write a small file as one, atomically.
/// @throws FileError
void write_file(const std::filesystem::path& target, std::string_view content);

/// A small file's whole content.
/// @throws FileError
std::string read_file(const std::filesystem::path& file);

}  // namespace ech0
