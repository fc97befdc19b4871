#include "model/model_hash.h"

#include "base/remembered_hash.h"
#include "base/sha256.h"

namespace ech0 {
namespace {

template <class HashOfFile>
std::string hash_of(const Model& model, const HashOfFile& hash_of_file) {
    if (model.files.size() == 1) return hash_of_file(model.files.front());
    std::string parts;
    for (const auto& file : model.files) {
        const std::string hash = hash_of_file(file);
        if (hash.empty()) return "";
        parts += hash + "\n";
    }
    return sha256(parts);
}

}  // namespace

std::string sha256_of_model(const Model& model, const Progress& progress) {
    return hash_of(model, [&](const auto& file) { return cached_sha256_of_file(file, progress); });
}

std::string remembered_sha256_of_model(const Model& model) { return hash_of(model, remembered_sha256_of_file); }

}  // namespace ech0
