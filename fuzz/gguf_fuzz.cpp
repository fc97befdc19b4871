// The gate before the engine: what passes must hold what it promises, and can be shown.

#include "ech0/error.h"
#include "ech0/model.h"
#include "input_file.h"
#include "report/inspect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::filesystem::path file = ech0::input_file(data, size, "m.gguf");
    try {
        const ech0::Model model = ech0::read_model("m.gguf", {file});
        int64_t end = 0;
        for (const ech0::Tensor& t : model.tensors) {
            if (t.offset_bytes < end || t.size_bytes < 0 || t.offset_bytes > static_cast<int64_t>(size) - t.size_bytes)
                std::abort();
            end = t.offset_bytes + t.size_bytes;
        }
        ech0::inspect_text(model, true);
        ech0::json_text(ech0::inspect_json(model));
    } catch (const ech0::Error&) {}
    return 0;
}
