#pragma once

#include <ggml-cpp.h>

#include "ech0/model.h"
#include "runtime/segment.h"

namespace ech0 {

/// The metadata of a model that has only the layers of `range`, renumbered from 0, and no tokenizer.
struct SegmentMetadata {
    gguf_context_ptr gguf;
    ggml_context_ptr tensors;  // owns the descriptions that `gguf` was given
};

/// @throws FormatError if the file's metadata can't be read; UsageError if layers of different kinds can't be cut here
SegmentMetadata segment_metadata(const Model& model, const SegmentRange& range, const Weights& weights);

}  // namespace ech0
