#include "prune/outcome.h"

#include "base/process.h"
#include "base/sha256.h"

namespace ech0 {

void describe_files(const Model& source, const Model& made, Pruning& pruning, const Progress& progress) {
    pruning.source_path = source.files.front().string();
    pruning.path = made.files.front().string();
    pruning.sha256 = cached_sha256_of_file(made.files.front(), progress);
    pruning.architecture = made.architecture;
    pruning.size_bytes = made.size_bytes;
    pruning.n_layer_before = source.n_layer;
    pruning.n_params_before = source.n_params;
    pruning.n_params = made.n_params;
    pruning.peak_memory_bytes = peak_memory_bytes();
}

}  // namespace ech0
