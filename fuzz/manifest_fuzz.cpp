// Manifests of Ollama's store: whatever they say, no model may lie outside of the store.

#include <string>

#include "ech0/error.h"
#include "input_file.h"
#include "store/ollama.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::filesystem::path manifest =
        ech0::input_file(data, size, "store/manifests/registry.ollama.ai/library/m/latest");
    const std::filesystem::path root = manifest.parent_path().parent_path().parent_path().parent_path().parent_path();
    static const bool once = [&] {
        const std::string blob = std::string("store/blobs/sha256-") + std::string(64, 'a');
        ech0::input_file(reinterpret_cast<const uint8_t*>("GGUF"), 4, blob.c_str());
        return setenv("OLLAMA_MODELS", root.c_str(), 1) == 0;
    }();
    if (!once) std::abort();
    try {
        for (const ech0::StoredModel& model : ech0::ollama_models())
            for (const std::filesystem::path& file : model.files)
                if (!std::filesystem::canonical(file).string().starts_with(std::filesystem::canonical(root).string()))
                    std::abort();
    } catch (const ech0::Error&) {}
    return 0;
}
