#include "runtime/cache_types.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/error.h"
#include "runtime/ggml_types.h"

namespace ech0 {
namespace {

std::string why_no_heads(std::string_view what, int64_t n_embd_head, const std::string& name) {
    const ggml_type type = type_by_name(name);
    if (row_fits(type, n_embd_head)) return "";
    return fmt::format("{} of {} numbers a head, and {} takes blocks of {}", what, n_embd_head, name,
                       ggml_blck_size(type));
}

}  // namespace

CacheTypes cache_types(std::string_view name) {
    const size_t slash = name.find('/');
    const std::string_view k = name.substr(0, slash), v = slash == std::string_view::npos ? k : name.substr(slash + 1);
    if (k.empty() || v.empty() || v.find('/') != std::string_view::npos)
        throw UsageError(fmt::format("a cache of '{}': wanted one type (q8_0), or those of keys and values (q8_0/q5_1)",
                                     printable(name, 80)));
    return {ggml_type_name(type_by_name(k)), ggml_type_name(type_by_name(v))};
}

std::string cache_name(const CacheTypes& types) { return types.k == types.v ? types.k : types.k + "/" + types.v; }

double cache_bits(const CacheTypes& types) {
    return (type_bits(type_by_name(types.k)) + type_bits(type_by_name(types.v))) / 2;
}

std::string why_no_cache(const Model& model, const CacheTypes& types) {
    const std::string keys = why_no_heads("keys", model.n_embd_head_k, types.k);
    return keys.empty() ? why_no_heads("values", model.n_embd_head_v, types.v) : keys;
}

}  // namespace ech0
