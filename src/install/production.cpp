#include "install/production.h"

#include <fmt/format.h>

#include "base/paths.h"
#include "base/text.h"

namespace ech0 {

std::filesystem::path production_file() { return home_folder() / ".ech0_production_config"; }

std::string production_text(const Config& config) {
    std::string text =
        "# Settings of ech0 as environment variables; read it by '. ~/.ech0_production_config'.\n"
        "# Written from config.toml by 'ech0 setup' and 'ech0 use'; 'ech0 undo' takes the last change back.\n";
    const auto set = [&](std::string_view name, std::string_view value) {
        text += fmt::format("export {}={}\n", name, shell_word(value));
    };
    if (!config.model.empty()) set("ECH0_MODEL", config.model);
    if (config.n_ctx > 0) set("ECH0_CTX", std::to_string(config.n_ctx));
    if (!config.kv_type.empty()) set("ECH0_KV_TYPE", config.kv_type);
    set("ECH0_VOICE_ENABLED", config.voice_enabled ? "true" : "false");
    set("OLLAMA_KEEP_ALIVE", config.keep_alive);
    if (config.n_ctx > 0) set("OLLAMA_CONTEXT_LENGTH", std::to_string(config.n_ctx));
    if (config.kv_type == "f16" || config.kv_type == "q8_0" || config.kv_type == "q4_0") {
        set("OLLAMA_FLASH_ATTENTION", "1");  // without it Ollama ignores the type
        set("OLLAMA_KV_CACHE_TYPE", config.kv_type);
    }
    return text;
}

}  // namespace ech0
