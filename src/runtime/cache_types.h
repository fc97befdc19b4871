#pragma once

#include <string>
#include <string_view>

#include "ech0/model.h"

namespace ech0 {

/// What the KV cache is made of: types of keys and of values, as ggml names them.
struct CacheTypes {
    std::string k = "f16", v = "f16";

    friend bool operator==(const CacheTypes&, const CacheTypes&) = default;
};

/// "q8_0": both; "q8_0/q4_0": keys and values.
/// @throws UsageError naming the type that there is none of, or saying how a pair is written
CacheTypes cache_types(std::string_view name);

/// What cache_types reads: one name where both are the same.
std::string cache_name(const CacheTypes& types);

/// Bits of an element, on average over keys and values of heads that are equally wide.
double cache_bits(const CacheTypes& types);

/// Why this model can't have such a cache; empty if it can. A row of a head must divide into the type's blocks.
std::string why_no_cache(const Model& model, const CacheTypes& types);

}  // namespace ech0
