#pragma once

#include <string>
#include <vector>

#include "report/json.h"
#include "store/stored_model.h"

namespace ech0 {

/// A model of a store with what its file says of itself; `architecture` is empty where the file can't be read, and then
/// `stored.problem` says why.
struct ListedModel {
    StoredModel stored;
    std::string architecture, type;
    int64_t n_params = 0;
};

/// The models as a table: the name to type, size, what it is, whose store, when it changed; then what is wrong.
std::string models_text(const std::vector<ListedModel>& models);

/// The same as "ech0.models/1" (docs/json.md).
Json models_json(const std::vector<ListedModel>& models);

}  // namespace ech0
