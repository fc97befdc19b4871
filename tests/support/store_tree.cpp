#include "support/store_tree.h"

#include <fstream>

#include "base/sha256.h"

namespace ech0 {

namespace fs = std::filesystem;

void put_model(const fs::path& file, const TinyModel& model) {
    fs::create_directories(file.parent_path());
    write_tiny_model(model, file);
}

void put_text(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

std::string ollama_manifest(const std::string& digest) {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
           R"("config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"sha256:)" +
           std::string(64, 'c') +
           R"(","size":485},"layers":[{"mediaType":"application/vnd.ollama.image.model",)"
           R"("digest":")" +
           digest +
           R"(","size":1},{"mediaType":"application/vnd.ollama.image.license",)"
           R"("digest":"sha256:)" +
           std::string(64, 'd') + R"(","size":11343}]})";
}

fs::path put_ollama_model(const fs::path& models, const std::string& name, const TinyModel& model) {
    const fs::path incoming = models / "blobs" / "incoming";
    put_model(incoming, model);
    const std::string hash = sha256_of_file(incoming);
    const fs::path blob = models / "blobs" / ("sha256-" + hash);
    fs::rename(incoming, blob);
    put_text(models / "manifests" / name, ollama_manifest("sha256:" + hash));
    return blob;
}

fs::path put_hub_model(const fs::path& hub, const std::string& folder, const std::string& file,
                       const TinyModel& model) {
    const std::string revision(40, 'a');
    const fs::path repository = hub / folder, link = repository / "snapshots" / revision / file;
    const fs::path incoming = repository / "blobs" / "incoming";
    put_model(incoming, model);
    const fs::path blob = repository / "blobs" / sha256_of_file(incoming);
    fs::rename(incoming, blob);
    put_text(repository / "refs" / "main", revision);
    fs::create_directories(link.parent_path());
    fs::create_symlink(fs::relative(blob, link.parent_path()), link);
    return link;
}

}  // namespace ech0
