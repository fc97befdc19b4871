#pragma once

// Is a model file sound? What stands before the engine reads it (keys and index, see read_model) has passed when a
// Model is there; this looks at what can only be found by reading all of it: weights that are no numbers, a tokenizer
// that loses text, a template that the engine can't follow, a model that puts out no numbers.

#include <string>
#include <vector>

#include "ech0/model.h"
#include "ech0/progress.h"

namespace ech0 {

enum class Soundness {
    sound,
    notable,  ///< runs, but not as one may expect
    broken,
};

/// One thing that was looked at.
struct FilePoint {
    std::string what;  ///< "index", "weights", "tokenizer", "template", "engine"
    Soundness soundness = Soundness::sound;
    std::string found;
};

/// @param n_threads  0 = all cores
/// @throws FileError, Interrupted; what is wrong with the model is a point, not an exception
std::vector<FilePoint> check_file(const Model& model, int n_threads, const Progress& progress);

/// The worst of them.
Soundness soundness_of(const std::vector<FilePoint>& points);

}  // namespace ech0
