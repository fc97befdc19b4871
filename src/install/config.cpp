#include "install/config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/toml.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr std::string_view opening =
    "# Settings of ech0: what chat, talk and serve take where the command line is silent.\n"
    "# 'ech0 setup' and 'ech0 use MODEL' set keys here and leave the rest alone; 'ech0 undo' takes the last change "
    "back.\n"
    "# docs/run.md explains each key.\n";

void read_run(TomlTable table, Config& config) {
    config.n_ctx = table.integer_or("ctx", config.n_ctx);
    if (config.n_ctx == 1 || config.n_ctx > (1 << 24)) table.refuse("ctx", "0 (what fits), or 2 to 16777216 tokens");
    config.kv_type = table.text_or("kv", config.kv_type);
    table.done();
}

void read_serve(TomlTable table, Config& config) {
    config.host = table.text_or("host", config.host);
    config.port = table.integer_or("port", config.port, 1);
    if (config.port > 65535) table.refuse("port", "1 to 65535");
    table.done();
}

}  // namespace

std::filesystem::path config_file() { return config_folder() / "config.toml"; }

Config parse_config(std::string_view text, const std::string& name) {
    const TomlDocument document(text, name);
    TomlTable root = document.root();
    Config config;
    config.model = root.text_or("model", config.model);
    if (std::optional<TomlTable> run = root.table("run")) read_run(*run, config);
    if (std::optional<TomlTable> chat = root.table("chat")) {
        config.system = chat->text_or("system", config.system);
        chat->done();
    }
    if (std::optional<TomlTable> serve = root.table("serve")) read_serve(*serve, config);
    if (std::optional<TomlTable> voice = root.table("voice")) {
        config.voice_enabled = voice->flag_or("enabled", config.voice_enabled);
        voice->done();
    }
    if (std::optional<TomlTable> ollama = root.table("ollama")) {
        config.keep_alive = ollama->text_or("keep_alive", config.keep_alive);
        ollama->done();
    }
    root.done();
    return config;
}

Config read_config() {
    const std::filesystem::path file = config_file();
    std::error_code failure;
    if (!std::filesystem::exists(file, failure)) return {};
    return parse_config(read_file(file), printable(file.string(), 400));
}

std::string with_config(std::string_view text, const Config& config) {
    const std::string name = printable(config_file().string(), 400);
    const Config before = parse_config(text, name);
    std::string result(text.empty() ? opening : text);
    const auto set = [&](std::string_view table, std::string_view key, const auto& was, const auto& is) {
        if (text.empty() || was != is) result = with_toml_key(result, table, key, is, name);
    };
    // A key that is inserted stands before those of its table: the last one set is the first one read.
    set("", "model", before.model, config.model);
    set("run", "ctx", before.n_ctx, config.n_ctx);
    set("run", "kv", before.kv_type, config.kv_type);
    set("chat", "system", before.system, config.system);
    set("serve", "port", before.port, config.port);
    set("serve", "host", before.host, config.host);
    set("voice", "enabled", before.voice_enabled, config.voice_enabled);
    set("ollama", "keep_alive", before.keep_alive, config.keep_alive);
    return result;
}

}  // namespace ech0
