#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kv/ekv.h"
#include "kv/kept_profile.h"
#include "kv/state.h"
#include "report/json.h"

namespace ech0 {

/// What `kv pack` and `kv unpack` did.
struct KvConversion {
    std::string input, output;
    Ekv ekv;
    int64_t n_tokens = 0;  ///< cells of the first cache; 0: rows
    double seconds = 0;
};

std::string kv_pack_text(const KvConversion& pack);
Json kv_pack_json(const KvConversion& pack);  ///< "ech0.kv.pack/1"
std::string kv_unpack_text(const KvConversion& unpack);
Json kv_unpack_json(const KvConversion& unpack);  ///< "ech0.kv.unpack/1"

/// What `kv info` found in a file.
struct KvFileInfo {
    std::string file;
    int64_t file_bytes = 0;
    std::optional<Ekv> ekv;                ///< nothing: a state as llama.cpp wrote it
    std::optional<KvState> state;          ///< nothing: rows
    std::vector<std::string> block_names;  ///< of an .ekv
    bool checked = false;                  ///< every block was read
    std::vector<std::string> damaged;      ///< what is wrong with which
};

std::string kv_info_text(const KvFileInfo& info);
Json kv_info_json(const KvFileInfo& info);  ///< "ech0.kv.info/1"

std::string kv_profile_text(const Model& model, const KeptProfile& kept, double seconds);
Json kv_profile_json(const Model& model, const KeptProfile& kept, double seconds);  ///< "ech0.kv.profile/1"

}  // namespace ech0
