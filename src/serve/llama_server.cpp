#include "serve/llama_server.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llama.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include "base/child.h"
#include "base/process.h"
#include "base/text.h"
#include "ech0/error.h"
#include "runtime/cache_types.h"
#include "runtime/engine.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): macOS declares it nowhere

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// A server of another engine would have other flags, and other numbers than those that fit and bench told.
void check_engine(const fs::path& server) {
    const ChildResult said = run_child(server, {"--version"}, 10);
    const std::string words = said.output + said.errors, commit = engine_commit();
    const bool same_commit = commit == "unknown" || words.find(commit) != std::string::npos;  // built without git
    if (same_commit && words.find(llama_version()) != std::string::npos) return;
    throw UsageError(
        fmt::format("{} is of another engine than this ech0, which has {}; 'make server' builds the right one",
                    printable(server.string(), 400), engine_description()));
}

// The engine numbers the devices of all workers, in their order: RPC0, RPC1, … A worker is taken with its first device.
void add_remote(std::vector<std::string>& arguments, const std::vector<RemoteShare>& remote) {
    std::vector<std::string> endpoints, devices;
    std::vector<int64_t> layers;
    for (const RemoteShare& share : remote) {
        devices.push_back(fmt::format("RPC{}", endpoints.size()));
        endpoints.push_back(share.endpoint);
        layers.push_back(share.n_layer);
    }
    const int64_t n_layer = std::accumulate(layers.begin(), layers.end(), int64_t{0});
    for (const std::string& word :
         {std::string("--rpc"), fmt::format("{}", fmt::join(endpoints, ",")), std::string("--device"),
          fmt::format("{}", fmt::join(devices, ",")), std::string("--n-gpu-layers"), std::to_string(n_layer),
          std::string("--tensor-split"), fmt::format("{}", fmt::join(layers, ","))})
        arguments.push_back(word);
}

}  // namespace

fs::path find_llama_server() {
    std::error_code failure;
    if (const char* named = std::getenv("ECH0_LLAMA_SERVER"); named != nullptr && *named != '\0') {
        if (!fs::exists(named, failure))
            throw UsageError(fmt::format("ECH0_LLAMA_SERVER={}: no such file", printable(named, 400)));
        return named;
    }
    const fs::path here = this_executable().parent_path();
    for (const fs::path& server :
         {here.parent_path() / "libexec" / "ech0" / "llama-server", here / "engine" / "llama-server"}) {
        if (!fs::exists(server, failure)) continue;
        check_engine(server);
        return server;
    }
    throw UsageError(
        "no llama-server beside ech0: 'make server' in the source folder builds it, and 'make install' installs it; or "
        "name one by ECH0_LLAMA_SERVER");
}

std::vector<std::string> server_arguments(const Model& model, const RunPlan& plan, const ServeOptions& options) {
    const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
    std::vector<std::string> arguments = {"--model", fs::absolute(model.files.front()).string()};
    const auto add = [&](std::initializer_list<std::string> words) {
        arguments.insert(arguments.end(), words.begin(), words.end());
    };
    add({"--alias", options.alias});
    add({"--host", options.host, "--port", std::to_string(options.port)});
    const CacheTypes types = cache_types(plan.kv_type);
    add({"--ctx-size", std::to_string(plan.n_ctx), "--cache-type-k", types.k, "--cache-type-v", types.v});
    add({"--parallel", std::to_string(options.n_parallel), "--kv-unified"});
    add({"--threads", std::to_string(n_threads)});
    add({"--load-mode", plan.mapped ? "mmap" : "none"});
    add({"--fit", "off", "--offline"});    // the plan decides, and nothing is fetched
    add({"--cors-origins", "localhost"});  // else any page that a browser shows could read the answers
    if (!options.remote.empty()) add_remote(arguments, options.remote);
    if (options.embeddings) add({"--embeddings", "--pooling", "mean"});
    if (!options.slots.empty()) add({"--slot-save-path", fs::absolute(options.slots).string()});
    if (!options.site.empty()) add({"--path", options.site.string()});
    arguments.insert(arguments.end(), options.further.begin(), options.further.end());
    return arguments;
}

std::vector<std::string> server_environment(const ServeOptions& options) {
    std::vector<std::string> changes;
    for (char** entry = environ; *entry != nullptr; entry++) {
        const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
        if (name.starts_with("LLAMA_ARG_") || name.starts_with("AIP_") || name == "LLAMA_API_KEY")
            changes.emplace_back(name);
    }
    if (!options.api_key.empty()) {
        std::erase(changes, "LLAMA_API_KEY");
        changes.push_back("LLAMA_API_KEY=" + options.api_key);
    }
    return changes;
}

}  // namespace ech0
