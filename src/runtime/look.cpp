#include "runtime/look.h"

namespace ech0 {

Seen look(Segment& segment, const SegmentInput& input, const std::string& tensor, const std::string& node) {
    Seen seen;
    ActivationSink sink;
    sink.wants = [&](const std::string& name) { return name == tensor; };
    sink.take = [&](const std::string& name, int64_t matrix, const float* x, int64_t n_rows, int64_t n_cols) {
        if (matrix < 0) {
            seen.stream.assign(x, x + n_rows * n_cols);
            return;
        }
        const bool experts = name.find("_exps") != std::string::npos;
        seen.x.insert(seen.x.end(), x, x + n_rows * n_cols);
        if (experts) seen.matrix.insert(seen.matrix.end(), static_cast<size_t>(n_rows), matrix);
        seen.n_rows += n_rows;
        seen.n_cols = n_cols;
    };
    sink.node = node;
    sink.enough = [&] { return seen.n_rows > 0; };
    segment.run(input, &sink);
    return seen;
}

}  // namespace ech0
