#include "base/deflate.h"

#include <fmt/format.h>
#include <zlib.h>

#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr int64_t most_ratio = 1032;  // of deflate: 258 bytes from two bits

}  // namespace

std::string deflate(std::string_view text) {
    uLongf size = compressBound(static_cast<uLong>(text.size()));
    std::string out(size, '\0');
    const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()),
                               static_cast<uLong>(text.size()), Z_BEST_COMPRESSION);
    if (code != Z_OK) throw Error(fmt::format("zlib refuses to pack {} bytes (code {})", text.size(), code));
    out.resize(size);
    return out;
}

std::string inflate(std::string_view packed, int64_t size_bytes) {
    const auto packed_bytes = static_cast<int64_t>(packed.size());
    if (size_bytes < 0 || size_bytes / most_ratio > packed_bytes)
        throw FormatError(fmt::format("{} packed bytes can't hold {}", packed_bytes, size_bytes));
    std::string out(static_cast<size_t>(size_bytes), '\0');
    uLongf size = static_cast<uLongf>(size_bytes);
    const int code = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
    if (code != Z_OK || size != out.size())
        throw FormatError(
            fmt::format("{} packed bytes give {}, wanted {} (zlib code {})", packed_bytes, size, size_bytes, code));
    return out;
}

}  // namespace ech0
