#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/json.h"
#include "serve/llama_server.h"

namespace ech0 {

/// A server that is ready, as "ech0.serve/1" (docs/json.md); also what it answers at /ech0/report.
/// @param report  a report to go with it, or null
/// @param pid  of the server; 0 = not yet known
Json serve_json(const Model& model, const RunPlan& plan, const ServeOptions& options, const Json& report,
                int64_t pid = 0);

std::string serve_text(const Model& model, const RunPlan& plan, const ServeOptions& options,
                       const std::filesystem::path& log);

/// The server's command line as a shell reads it; of a key only that there is one.
std::string command_text(const std::filesystem::path& server, const std::vector<std::string>& arguments, bool has_key);

}  // namespace ech0
