#pragma once

#include <string>

namespace ech0 {

/// What speed and memory hold for, in a line: "AMD EPYC 7B13, 2 threads".
std::string describe_machine(int n_threads);

}  // namespace ech0
