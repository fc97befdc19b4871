#pragma once

#include "ech0/model.h"
#include "model/blueprint.h"
#include "support/temporary_folder.h"

namespace ech0 {

/// A blueprint, written and read.
struct Shape {
    TemporaryFolder folder;
    Model model;

    explicit Shape(const char* name) {
        write_blueprint(*find_blueprint(name), folder / "b.gguf");
        model = read_model((folder / "b.gguf").string());
    }
};

}  // namespace ech0
