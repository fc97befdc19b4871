// .ekv files: whatever they say, only an Error comes out, and memory stays bounded. The checksums of what the fuzzer
// made are mended first: behind them is where a forger's file gets to.

#include <cstdint>
#include <string>

#include "base/sha256.h"
#include "ech0/error.h"
#include "kv/pack.h"

namespace {

std::string digest(std::string_view bytes, size_t n) {
    const std::string hex = ech0::sha256(bytes);
    std::string out;
    for (size_t i = 0; i < n; i++) out.push_back(static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16)));
    return out;
}

uint64_t number(const std::string& file, size_t at) {
    uint64_t n = 0;
    for (size_t i = 8; i-- > 0;) n = n << 8 | static_cast<uint8_t>(file[at + i]);
    return n;
}

// docs/ekv.md: index offset at 24, index size at 32, its sum at 40, the head's at 56; an entry ends the index for each
// block: codec, size, 16 bytes of sum.
void mend(std::string& file) {
    if (file.size() < 64) return;
    const uint64_t index = number(file, 24);
    if (index < 64 || index > file.size()) return;
    const uint64_t index_bytes = file.size() - index;
    for (size_t i = 0; i < 8; i++) file[32 + i] = static_cast<char>(index_bytes >> (8 * i));
    // Entries from the last one back: their sizes end at the index.
    uint64_t end = index;
    for (size_t at = file.size(); at >= index + 25 && end > 64; at -= 25) {
        const uint64_t size = number(file, at - 24);
        if (size > end - 64) break;
        file.replace(at - 16, 16, digest(std::string_view(file).substr(end - size, size), 16));
        end -= size;
    }
    file.replace(40, 16, digest(std::string_view(file).substr(index), 16));
    file.replace(56, 8, digest(std::string_view(file).substr(0, 56), 8));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string file(reinterpret_cast<const char*>(data), size);
    mend(file);
    const std::span bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
    try {
        const ech0::Ekv ekv = ech0::read_ekv(bytes, "input");
        ech0::block_names(ekv, "input");
        ech0::KvUnpackOptions options;
        options.n_threads = 1;
        if (ekv.content_bytes > int64_t{1} << 26) return 0;  // a long one would only take time
        ech0::unpack(bytes, ekv, "input", options, [](std::span<const uint8_t>) {});
    } catch (const ech0::Error&) {}
    return 0;
}
