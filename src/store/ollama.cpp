// Ollama's store, read in place. A model is a small JSON, the manifest, which names its parts by their SHA-256; the
// part of type "image.model" is a GGUF like any other.
//
//   MODELS/manifests/HOST/NAMESPACE/NAME/TAG     registry.ollama.ai/library/qwen2.5/32b
//   MODELS/manifests-v2/HOST/NAMESPACE/NAME/TAG  ollama.com/library/…; there a link to the manifest among the blobs
//   MODELS/blobs/sha256-HEX                      before version 0.1.30 or so: sha256:HEX
//
// Sources: https://github.com/ollama/ollama manifest/paths.go (paths, digests), manifest/manifest.go (the JSON),
// types/model/name.go (names and their defaults), envconfig/config.go (OLLAMA_MODELS), scripts/install.sh (the
// service's home); https://github.com/ollama/ollama/pull/15735 (manifests-v2, and lists of manifests by runner).

#include "store/ollama.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t largest_manifest_bytes = 1 << 20;  // real ones have about one kilobyte

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

std::string name_of(const std::string& host, const std::string& space, const std::string& model,
                    const std::string& tag) {
    std::string name = model + ":" + tag;
    const bool is_default_host = lower(host) == "registry.ollama.ai" || lower(host) == "ollama.com";
    if (!is_default_host) return host + "/" + space + "/" + name;
    return lower(space) == "library" ? name : space + "/" + name;
}

std::string text_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& array_of(const json& object, const char* key) {
    static const json none = json::array();
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_array() ? *found : none;
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

// Reads one manifest, with all that it refers to. What is wrong is a FormatError that begins with the manifest's path.
class ManifestReader {
public:
    ManifestReader(fs::path root, fs::path manifest) : root_(std::move(root)), manifest_(std::move(manifest)) {}

    fs::path model_file() const {
        json content = parsed(manifest_);
        if (!array_of(content, "manifests").empty()) content = gguf_manifest(array_of(content, "manifests"));
        std::vector<std::string> digests;
        bool has_tensors = false;
        for (const json& layer : array_of(content, "layers")) {
            const std::string type = text_of(layer, "mediaType");
            if (type == "application/vnd.ollama.image.model") digests.push_back(text_of(layer, "digest"));
            has_tensors = has_tensors || type == "application/vnd.ollama.image.tensor";
        }
        if (digests.size() == 1) return blob(digests[0]);
        if (digests.empty() && has_tensors)
            throw error("its weights are safetensors, which only Ollama's MLX engine reads; pull a GGUF of that model");
        if (digests.empty()) throw error("no layer holds a model: it runs in the cloud, or the manifest is damaged");
        throw error(fmt::format("{} layers hold models, wanted one", digests.size()));
    }

private:
    FormatError error(std::string_view what) const { return FormatError(shown(manifest_) + ": " + std::string(what)); }

    json parsed(const fs::path& file) const {
        if (!fs::exists(file))
            throw error(fmt::format("the manifest {} is not there: pull the model again", shown(file)));
        if (!lies_in(file, root_)) throw error(fmt::format("it leads out of {}, which is not followed", shown(root_)));
        if (!fs::is_regular_file(file)) throw error("it is no file");
        if (const auto size = fs::file_size(file); size > largest_manifest_bytes)
            throw error(fmt::format("it has {} bytes, too many for a manifest: pull the model again", size));
        json content = json::parse(read_file(file), nullptr, false);
        if (!content.is_object()) throw error("it is no JSON object: the manifest is damaged; pull the model again");
        return content;
    }

    // A list has one manifest for each engine; the GGUF ones are meant for llama.cpp.
    json gguf_manifest(const json& list) const {
        for (const json& child : list) {
            const std::string runner = text_of(child, "runner"), format = text_of(child, "format");
            if (runner != "ggml" && runner != "llamacpp" && format != "gguf") continue;
            return array_of(child, "layers").empty() ? parsed(blob(text_of(child, "digest"))) : child;
        }
        throw error(fmt::format("none of its {} manifests is for GGUF: pull a GGUF of that model", list.size()));
    }

    // Only what is really a digest may become a path.
    fs::path blob(const std::string& digest) const {
        const bool has_prefix = digest.starts_with("sha256:") || digest.starts_with("sha256-");
        const std::string hex = has_prefix ? digest.substr(7) : "";
        if (hex.size() != 64 || !std::all_of(hex.begin(), hex.end(), is_hex))
            throw error(fmt::format("digest '{}', wanted sha256: and 64 hex digits", printable(digest)));
        const fs::path file = root_ / "blobs" / ("sha256-" + hex), older = root_ / "blobs" / ("sha256:" + hex);
        if (!fs::exists(file) && !fs::exists(older))
            throw error(fmt::format("the file it names, {}, is not there: pull the model again", shown(file)));
        return fs::exists(file) ? file : older;
    }

    fs::path root_, manifest_;
};

StoredModel read_entry(const fs::path& root, const fs::path& manifest, const std::string& name) {
    StoredModel model;
    model.name = "ollama:" + name;
    model.store = "ollama";
    try {
        take_files(model, ManifestReader(root, manifest).model_file());
    } catch (const Error& error) {
        model.problem = error.what();
    } catch (const fs::filesystem_error& error) {
        model.problem = fmt::format("{}: {}", shown(manifest), error.code().message());
    }
    return model;
}

// The four levels of folders that make a name; anything else there (".DS_Store") is none of ours.
void read_manifests(const fs::path& root, const fs::path& folder, std::vector<StoredModel>& models) {
    for (const fs::path& host : entries_of(folder)) {
        for (const fs::path& space : entries_of(host)) {
            for (const fs::path& model : entries_of(space)) {
                for (const fs::path& tag : entries_of(model)) {
                    if (tag.filename().string().starts_with('.')) continue;
                    const std::string name =
                        name_of(host.filename(), space.filename(), model.filename(), tag.filename());
                    models.push_back(read_entry(root, tag, name));
                }
            }
        }
    }
}

std::vector<fs::path> roots() {
    std::vector<fs::path> folders;
    if (const std::string own = variable("OLLAMA_MODELS"); !own.empty()) folders.emplace_back(own);
    if (const std::string home = variable("HOME"); !home.empty())
        folders.push_back(fs::path(home) / ".ollama" / "models");
    folders.emplace_back("/usr/share/ollama/.ollama/models");
    return folders;
}

}  // namespace

std::vector<StoredModel> ollama_models() {
    std::vector<StoredModel> models;
    for (const fs::path& root : present_folders(roots(), "ollama", models)) {
        read_manifests(root, root / "manifests-v2", models);  // Ollama looks there first
        read_manifests(root, root / "manifests", models);
    }
    return models;
}

std::string ollama_name(std::string_view asked) {
    std::string rest(asked), tag = "latest";
    // A colon before the last slash belongs to the host's port.
    const size_t colon = rest.rfind(':'), slash = rest.rfind('/');
    if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
        tag = rest.substr(colon + 1);
        rest.resize(colon);
    }
    std::vector<std::string> parts;  // host, namespace, model
    for (size_t at = 0; at != std::string::npos;) {
        const size_t end = rest.find('/', at);
        parts.push_back(rest.substr(at, end == std::string::npos ? end : end - at));
        at = end == std::string::npos ? end : end + 1;
    }
    if (parts.size() == 1) parts.insert(parts.begin(), "library");
    if (parts.size() == 2) parts.insert(parts.begin(), "registry.ollama.ai");
    return parts.size() == 3 ? name_of(parts[0], parts[1], parts[2], tag) : std::string(asked);
}

}  // namespace ech0
