#pragma once

// The engine's own server, and the flags by which it does what was planned.

#include <filesystem>
#include <string>
#include <vector>

#include "ech0/model.h"
#include "fit/run_plan.h"

namespace ech0 {

struct ServeOptions {
    std::string host = "127.0.0.1";
    int64_t port = 0;
    int64_t n_parallel = 4;  ///< answers at a time; they share the context
    bool embeddings = false;
    int n_threads = 0;
    std::string alias;                 ///< the model's name for clients; "" = the file's
    std::vector<RemoteShare> remote;   ///< layers on other machines
    std::string api_key;               ///< "" = none
    std::filesystem::path slots;       ///< where clients may have slots saved (POST /slots/N?action=save); "" = nowhere
    std::filesystem::path site;        ///< a folder of files that it serves too; "" = none
    std::vector<std::string> further;  ///< flags of llama-server's own, behind ours
};

/// Where llama-server is: $ECH0_LLAMA_SERVER, libexec/ech0 beside the folder of this program, engine/ in the build's.
/// @throws UsageError if it is nowhere, with how to get it; or if it is of another engine than we are
std::filesystem::path find_llama_server();

/// Its arguments. The key is not among them, where every user of the machine could read it.
std::vector<std::string> server_arguments(const Model& model, const RunPlan& plan, const ServeOptions& options);

/// Its environment, on top of ours (GuardedChild::Command): the key, and none of the variables by which somebody
/// outside could change its flags.
std::vector<std::string> server_environment(const ServeOptions& options);

}  // namespace ech0
