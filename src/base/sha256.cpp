#include "base/sha256.h"

#include "base/remembered_hash.h"

#include <algorithm>
#include <array>
#include <fstream>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/paths.h"
#include "ech0/error.h"

namespace ech0 {

struct Sha256::State {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    if (EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) {
        throw Error("SHA-256 is not available in this build of OpenSSL");
    }
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(const void* data, size_t size) {
    if (EVP_DigestUpdate(state_->context.get(), data, size) != 1) throw Error("SHA-256 failed");
}

std::string Sha256::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) != 1) throw Error("SHA-256 failed");
    std::string text;
    for (unsigned int i = 0; i < size; i++) text += fmt::format("{:02x}", digest[i]);
    return text;
}

std::string sha256(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes.data(), bytes.size());
    return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& file, const Progress& progress) {
    constexpr int64_t step_bytes = int64_t{16} << 20;  // between two looks at Ctrl-C, and all that stays resident
    const MappedFile mapped(file);
    Sha256 hash;
    for (int64_t at = 0; at < mapped.size_bytes(); at += step_bytes) {
        check_interrupt();
        const int64_t size = std::min(step_bytes, mapped.size_bytes() - at);
        hash.update(mapped.data() + at, static_cast<size_t>(size));
        mapped.release(at, size);
        if (progress) progress("hash", at + size, mapped.size_bytes());
    }
    return hash.hex();
}

namespace {

std::filesystem::path remembered_hash(const std::filesystem::path& file) {
    std::error_code failure;
    const std::filesystem::path absolute = std::filesystem::weakly_canonical(file, failure);
    const std::uintmax_t size_bytes = std::filesystem::file_size(file, failure);
    if (failure) return {};
    const auto changed = std::filesystem::last_write_time(file, failure).time_since_epoch().count();
    if (failure) return {};
    const std::string key = fmt::format("{}\n{}\n{}", absolute.string(), size_bytes, static_cast<int64_t>(changed));
    return cache_folder() / "sha256" / sha256(key);
}

std::string read_remembered(const std::filesystem::path& memo) {
    std::ifstream in(memo);
    std::string hash;
    in >> hash;
    const bool is_hash = hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_hash ? hash : "";
}

// A cache that can't be written (a read-only home) costs time, not the command.
void remember(const std::filesystem::path& memo, const std::string& hash) {
    try {
        std::filesystem::create_directories(memo.parent_path());
        AtomicFile out(memo);
        out.write(hash.data(), hash.size());
        out.commit();
    } catch (const FileError&) {
    } catch (const std::filesystem::filesystem_error&) {}
}

}  // namespace

std::string cached_sha256_of_file(const std::filesystem::path& file, const Progress& progress) {
    const std::filesystem::path memo = remembered_hash(file);
    if (memo.empty()) return sha256_of_file(file, progress);
    std::string hash = read_remembered(memo);
    if (hash.empty()) {
        hash = sha256_of_file(file, progress);
        // The file may have changed while it was read: remember only what still stands under the same key.
        if (remembered_hash(file) == memo) remember(memo, hash);
    }
    return hash;
}

std::string remembered_sha256_of_file(const std::filesystem::path& file) {
    const std::filesystem::path memo = remembered_hash(file);
    return memo.empty() ? "" : read_remembered(memo);
}

}  // namespace ech0
