#pragma once

#include <vector>

#include "store/stored_model.h"

namespace ech0 {

/// Every GGUF model in LM Studio's folders, named "lmstudio:PUBLISHER/MODEL/FILE".
std::vector<StoredModel> lmstudio_models();

}  // namespace ech0
