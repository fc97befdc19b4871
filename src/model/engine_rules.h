#pragma once

#include "ech0/model.h"
#include "model/gguf_file.h"

namespace ech0 {

/// Refuse what libllama would answer with an abort, and what every user of a Model relies on: hyper-parameters in
/// range, a vocabulary without doubles, and for the architectures whose layout is known here each tensor that the
/// engine loads, in its shape and in a type that it can compute with. What libllama itself refuses with a message is
/// left to it.
/// @throws FormatError naming the file, the thing, the value found and the value wanted
void check_engine_rules(const Model& model, const GgufFile& first);

}  // namespace ech0
