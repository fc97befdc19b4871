#pragma once

#include <cstdint>
#include <functional>

namespace ech0 {

/// Call work(i) for every i in [0, n) on n_threads threads; which thread takes which i is not determined, so results
/// must not depend on it. The first exception is rethrown here after all threads have stopped.
void parallel_for(int64_t n, int n_threads, const std::function<void(int64_t)>& work);

}  // namespace ech0
