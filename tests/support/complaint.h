#pragma once

#include <string>

#include "ech0/error.h"

namespace ech0 {

/// What a call says when it fails; "" if it does not.
template <class Run>
std::string complaint(const Run& run) {
    try {
        run();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace ech0
