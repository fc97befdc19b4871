#include "store/stores.h"

#include <algorithm>
#include <functional>

#include <doctest/doctest.h>
#include <unistd.h>

#include "ech0/error.h"
#include "ech0/model.h"
#include "store/huggingface.h"
#include "store/ollama.h"
#include "support/store_tree.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

std::string complaint_of(const std::string& asked) {
    try {
        find_stored_model(asked);
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const StoredModel& model : stored_models()) all.push_back(model.name);
    return all;
}

const std::string library = "registry.ollama.ai/library/";

}  // namespace

TEST_CASE("an Ollama model is found by the names that Ollama understands, and read in place") {
    const EmptyHome home;
    const fs::path blob = put_ollama_model(home / ".ollama/models", library + "qwen2.5/32b", {.architecture = "qwen2"});
    for (const char* name :
         {"ollama:qwen2.5:32b", "ollama:library/qwen2.5:32b", "ollama:QWEN2.5:32B",
          "ollama:registry.ollama.ai/library/qwen2.5:32b", "ollama:ollama.com/library/qwen2.5:32b"}) {
        CAPTURE(name);
        CHECK(resolve_model(name) == std::vector<fs::path>{fs::canonical(blob)});
    }
    CHECK(read_model("ollama:qwen2.5:32b").architecture == "qwen2");
    CHECK(names() == std::vector<std::string>{"ollama:qwen2.5:32b"});
}

TEST_CASE("the tag is latest if none is given, other spaces and hosts keep their names") {
    const EmptyHome home;
    const fs::path models = home / "elsewhere";
    const TemporaryVariable variable("OLLAMA_MODELS", models.string());
    put_ollama_model(models, library + "tiny/latest", {.seed = 1});
    put_ollama_model(models, "registry.ollama.ai/me/tiny/q4", {.seed = 2});
    put_ollama_model(models, "hf.co/org/repo-GGUF/Q4_K_M", {.seed = 3});
    CHECK(names() ==
          std::vector<std::string>{"ollama:hf.co/org/repo-GGUF:Q4_K_M", "ollama:tiny:latest", "ollama:me/tiny:q4"});
    CHECK(find_stored_model("ollama:tiny").name == "ollama:tiny:latest");
    CHECK(ollama_name("localhost:5000/me/tiny") == "localhost:5000/me/tiny:latest");
    for (const std::string& name : names()) CHECK(resolve_model(name).size() == 1);
}

TEST_CASE("older blobs, linked manifests and lists of manifests are Ollama models too") {
    const EmptyHome home;
    const fs::path models = home / ".ollama/models";
    const fs::path blob = put_ollama_model(models, library + "old/1b");
    const std::string hex = blob.filename().string().substr(7);
    SUBCASE("blobs were named sha256:HEX") {
        fs::rename(blob, models / "blobs" / ("sha256:" + hex));
        CHECK(fs::canonical(resolve_model("ollama:old:1b")[0]).filename() == "sha256:" + hex);
    }
    SUBCASE("manifests-v2 has links to blobs") {
        put_text(models / "blobs" / ("sha256-" + std::string(64, 'e')), ollama_manifest("sha256:" + hex));
        const fs::path link = models / "manifests-v2" / "ollama.com/library/new/1b";
        fs::create_directories(link.parent_path());
        fs::create_symlink(fs::relative(models / "blobs" / ("sha256-" + std::string(64, 'e')), link.parent_path()),
                           link);
        CHECK(resolve_model("ollama:new:1b") == std::vector<fs::path>{fs::canonical(blob)});
    }
    SUBCASE("a list names one manifest for each engine") {
        put_text(models / "blobs" / ("sha256-" + std::string(64, 'e')), ollama_manifest("sha256:" + hex));
        put_text(models / "manifests" / (library + "list/1b"),
                 R"({"schemaVersion":2,"mediaType":"application/vnd.ollama.manifest.list.v2+json","manifests":[)"
                 R"({"runner":"mlx","format":"safetensors","digest":"sha256:)" +
                     std::string(64, '0') + R"("},{"runner":"llamacpp","format":"gguf","digest":"sha256:)" +
                     std::string(64, 'e') + R"("}]})");
        CHECK(resolve_model("ollama:list:1b") == std::vector<fs::path>{fs::canonical(blob)});
    }
}

TEST_CASE("what is broken in Ollama's store is one line that names the file") {
    const EmptyHome home;
    const fs::path models = fs::path(home / ".ollama/models"), manifest = models / "manifests" / (library + "m/1b");
    fs::create_directories(models);
    const auto complaint = [&](const std::string& text) {
        put_text(manifest, text);
        const std::string said = complaint_of("ollama:m:1b");
        CHECK(has(said, fs::canonical(manifest).string()));
        CHECK(said.find('\n') == std::string::npos);
        return said;
    };
    CHECK(has(complaint("{\"layers\": ["), "no JSON object"));
    CHECK(has(complaint("[]"), "no JSON object"));
    CHECK(has(complaint("{\"layers\": [{\"mediaType\": 3}]}"), "no layer holds a model"));
    CHECK(has(complaint(R"({"layers":[{"mediaType":"application/vnd.ollama.image.tensor"}]})"), "safetensors"));
    CHECK(has(complaint(ollama_manifest("sha256:" + std::string(64, 'a'))), "is not there: pull the model again"));
    CHECK(has(complaint(ollama_manifest("sha256:../../../../etc/passwd")), "wanted sha256: and 64 hex digits"));
    CHECK(has(complaint(ollama_manifest("sha256:" + std::string(64, 'z'))), "wanted sha256: and 64 hex digits"));
    CHECK(has(complaint(std::string(2 << 20, ' ')), "too many for a manifest"));

    put_text(home / "secret.json", "{}");
    fs::remove(manifest);
    fs::create_symlink(fs::path(home / "secret.json"), manifest);
    CHECK(has(complaint_of("ollama:m:1b"), "leads out of"));
    fs::remove(manifest);
    fs::create_symlink("nowhere", manifest);
    CHECK(has(complaint_of("ollama:m:1b"), "is not there"));
}

TEST_CASE("a broken model is listed with its problem beside the others") {
    const EmptyHome home;
    put_ollama_model(home / ".ollama/models", library + "good/1b");
    put_text(home / (".ollama/models/manifests/" + library + "bad/1b"), "{");
    const std::vector<StoredModel> models = stored_models();
    REQUIRE(models.size() == 2);
    CHECK(models[0].name == "ollama:bad:1b");
    CHECK(has(models[0].problem, "no JSON object"));
    CHECK(models[0].files.empty());
    CHECK(models[1].problem == "");
    CHECK(models[1].size_bytes == static_cast<int64_t>(fs::file_size(models[1].files[0])));
}

TEST_CASE("LM Studio's models are found where its settings say") {
    const EmptyHome home;
    std::string models = ".lmstudio/models";
    SUBCASE("at its own place") {}
    SUBCASE("at its place of old") { models = ".cache/lm-studio/models"; }
    SUBCASE("where the pointer says") {
        put_text(home / ".lmstudio-home-pointer", (home / "there").string() + "\n");
        models = "there/models";
    }
    SUBCASE("where the settings say") {
        put_text(home / ".lmstudio/settings.json", "{\"downloadsFolder\": \"" + (home / "chosen").string() + "\"}");
        models = "chosen";
    }
    put_model(home / (models + "/pub/tiny-GGUF/tiny-Q4_K_M.gguf"));
    put_text(home / (models + "/pub/tiny-GGUF/mmproj-tiny-f16.gguf"), "an eye");
    put_text(home / (models + "/pub/tiny-GGUF/readme.md"), "text");
    CHECK(names() == std::vector<std::string>{"lmstudio:pub/tiny-GGUF/tiny-Q4_K_M.gguf"});
    for (const char* name : {"lmstudio:pub/tiny-GGUF", "lmstudio:pub/tiny-GGUF/tiny-Q4_K_M.gguf",
                             "lmstudio:pub/tiny-GGUF/tiny-Q4_K_M", "lmstudio:pub/tiny-GGUF/q4_k_m"}) {
        CAPTURE(name);
        CHECK(read_model(name).architecture == "llama");
    }
}

TEST_CASE("several models in one folder have to be told apart, and all are named") {
    const EmptyHome home;
    put_model(home / ".lmstudio/models/pub/m/m-Q4_K_M.gguf");
    put_model(home / ".lmstudio/models/pub/m/m-Q8_0.gguf");
    CHECK(complaint_of("lmstudio:pub/m") ==
          "'lmstudio:pub/m' is 2 models: name one of lmstudio:pub/m/m-Q4_K_M.gguf, lmstudio:pub/m/m-Q8_0.gguf");
    CHECK(find_stored_model("lmstudio:pub/m/Q8_0").name == "lmstudio:pub/m/m-Q8_0.gguf");
}

TEST_CASE("a split model in a store is one model, and a missing part a problem") {
    const EmptyHome home;
    const fs::path folder = home / ".lmstudio/models/pub/big";
    fs::create_directories(folder);
    const std::vector<fs::path> parts = write_tiny_model_parts({}, folder, "big-Q8_0", 3);
    CHECK(names() == std::vector<std::string>{"lmstudio:pub/big/big-Q8_0-00001-of-00003.gguf"});
    CHECK(resolve_model("lmstudio:pub/big").size() == 3);
    CHECK(resolve_model("lmstudio:pub/big/big-Q8_0-00003-of-00003.gguf").size() == 3);
    CHECK(read_model("lmstudio:pub/big/Q8_0").n_layer == 2);
    fs::remove(parts[1]);
    CHECK(has(complaint_of("lmstudio:pub/big"), "1 of 3 parts missing: big-Q8_0-00002-of-00003.gguf"));
}

TEST_CASE("models of the Hugging Face cache are found by repository, file and type") {
    const EmptyHome home;
    std::string hub = ".cache/huggingface/hub";
    SUBCASE("at its own place") {}
    const TemporaryVariable chosen("HF_HUB_CACHE", (home / "hub-of-mine").string());
    SUBCASE("where HF_HUB_CACHE says") { hub = "hub-of-mine"; }
    const fs::path q4 = put_hub_model(home / hub, "models--Org--Tiny-GGUF", "Tiny-Q4_K_M.gguf", {.seed = 1});
    const fs::path q8 = put_hub_model(home / hub, "models--Org--Tiny-GGUF", "sub/Tiny-IQ4_XS.gguf", {.seed = 2});
    put_text(home / (hub + "/models--Org--Tiny-GGUF/snapshots/" + std::string(40, 'a') + "/mmproj.gguf"), "an eye");
    CHECK(names() ==
          std::vector<std::string>{"hf:Org/Tiny-GGUF:Tiny-Q4_K_M.gguf", "hf:Org/Tiny-GGUF:sub/Tiny-IQ4_XS.gguf"});
    CHECK(fs::equivalent(resolve_model("hf:Org/Tiny-GGUF:Q4_K_M")[0], q4));
    CHECK(fs::equivalent(resolve_model("hf:Org/Tiny-GGUF:sub/Tiny-IQ4_XS.gguf")[0], q8));
    CHECK(fs::equivalent(resolve_model("hf:Org/Tiny-GGUF:Tiny-IQ4_XS")[0], q8));
    CHECK(has(complaint_of("hf:Org/Tiny-GGUF"), "is 2 models"));
    CHECK(complaint_of("hf:Org/Tiny-GGUF:Q4_K_S") ==
          "no model 'hf:Org/Tiny-GGUF:Q4_K_S' on this machine: there are hf:Org/Tiny-GGUF:Tiny-Q4_K_M.gguf, "
          "hf:Org/Tiny-GGUF:sub/Tiny-IQ4_XS.gguf; 'ech0 models pull' fetches it");
}

TEST_CASE("what is broken in the Hugging Face cache is one line that names the file") {
    const EmptyHome home;
    const fs::path hub = home / ".cache/huggingface/hub", repository = hub / "models--Org--Tiny";
    const fs::path link = put_hub_model(hub, "models--Org--Tiny", "m.gguf");
    SUBCASE("a link to a blob that was cleared away") {
        fs::remove_all(repository / "blobs");
        const std::string said = complaint_of("hf:Org/Tiny");
        CHECK(has(said, "snapshots/" + std::string(40, 'a') + "/m.gguf points to ../../blobs/"));
        CHECK(has(said, "which is not there"));
    }
    SUBCASE("a link out of the cache") {
        put_model(home / "outside.gguf");
        fs::remove(link);
        fs::create_symlink(fs::path(home / "outside.gguf"), link);
        CHECK(has(complaint_of("hf:Org/Tiny"), "leads out of"));
    }
    SUBCASE("a ref that is no revision") {
        put_text(repository / "refs" / "main", "../../../..");
        CHECK(has(complaint_of("hf:Org/Tiny"), "refs/main: '../../../..', wanted a revision"));
    }
}

TEST_CASE("files of llama.cpp's flat cache are named by its manifests, others by their path") {
    const EmptyHome home;
    const fs::path cache = home / ".cache/llama.cpp";
    put_model(cache / "org_with_line_Tiny_GGUF_tiny-Q8_0.gguf");
    put_text(cache / "manifest=org_with_line=Tiny_GGUF=Q8_0.json", "{}");
    put_model(cache / "lone.gguf");
    const fs::path lone = fs::canonical(cache / "lone.gguf");
    CHECK(names() == std::vector<std::string>{lone.string(), "hf:org_with_line/Tiny_GGUF:tiny-Q8_0.gguf"});
    for (const std::string& name : names()) CHECK(read_model(name).n_layer == 2);
}

TEST_CASE("one model under one name in two stores is one, and a whole one hides a broken one") {
    const EmptyHome home;
    const fs::path link = put_hub_model(home / ".cache/huggingface/hub", "models--Org--Tiny", "m.gguf");
    put_model(home / "ech0-cache/models/hf/Org/Tiny/m.gguf");
    CHECK(find_stored_model("hf:Org/Tiny").store == "ech0");
    fs::remove(home / "ech0-cache/models/hf/Org/Tiny/m.gguf");
    fs::create_symlink("nowhere", home / "ech0-cache/models/hf/Org/Tiny/m.gguf");
    CHECK(find_stored_model("hf:Org/Tiny").store == "huggingface");
}

TEST_CASE("an unknown name gets the nearest one, or what there is") {
    const EmptyHome home;
    CHECK(complaint_of("ollama:qwen2.5") ==
          "no model 'ollama:qwen2.5' on this machine: no model there; "
          "'ollama pull' fetches it");
    put_ollama_model(home / ".ollama/models", library + "qwen2.5/32b");
    CHECK(has(complaint_of("ollama:qwen2.5:23b"), "did you mean 'ollama:qwen2.5:32b'?"));
    CHECK(has(complaint_of("ollama:something:else"), "there are ollama:qwen2.5:32b"));
    CHECK(has(complaint_of("hf:../..:x"), "no model 'hf:../..:x' on this machine"));
}

TEST_CASE("a store that can't be read is a line in the list, and stops nothing") {
    if (::geteuid() == 0) return;  // root reads everything
    const EmptyHome home;
    put_model(home / ".lmstudio/models/pub/m/m.gguf");
    fs::create_directories(home / ".ollama/models/manifests");
    fs::permissions(home / ".ollama", fs::perms::none);
    const std::vector<StoredModel> models = stored_models();
    fs::permissions(home / ".ollama", fs::perms::owner_all);
    REQUIRE(models.size() == 2);
    CHECK(has(models[0].problem, "Permission denied"));
    CHECK(models[1].problem == "");
}

TEST_CASE("a type is found in a file's name only as a whole") {
    CHECK(means_file("Q4_K_M", "m-Q4_K_M.gguf"));
    CHECK(means_file("q4_k_m", "Q4_K_M/m-00001-of-00002.gguf"));
    CHECK(means_file("m", "m.gguf"));
    CHECK(means_file("sub/m", "sub/m.gguf"));
    CHECK(means_file("m-00002-of-00002.gguf", "sub/m-00001-of-00002.gguf"));
    CHECK_FALSE(means_file("Q4_K", "m-Q4_K_M.gguf"));
    CHECK_FALSE(means_file("Q4_XS", "m-IQ4_XS.gguf"));
    CHECK_FALSE(means_file("other.gguf", "m.gguf"));
}
