#include "report/serve.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

std::string url_of(const ServeOptions& options) {
    const bool is_v6 = options.host.find(':') != std::string::npos;
    return fmt::format("http://{}{}{}:{}", is_v6 ? "[" : "", options.host, is_v6 ? "]" : "", options.port);
}

}  // namespace

Json serve_json(const Model& model, const RunPlan& plan, const ServeOptions& options, const Json& report, int64_t pid) {
    return {
        {"schema", "ech0.serve/1"},
        {"url", url_of(options)},
        {"model", {{"path", model.files.front().string()}, {"name", options.alias}, {"size_bytes", model.size_bytes}}},
        {"engine", engine_description()},
        {"n_ctx", plan.n_ctx},
        {"kv_type", plan.kv_type},
        {"n_parallel", options.n_parallel},
        {"embeddings", options.embeddings},
        {"api_key", !options.api_key.empty()},
        {"memory",
         {{"weights_bytes", plan.memory.weights_bytes},
          {"kv_bytes", plan.memory.kv_bytes},
          {"compute_bytes", plan.memory.compute_bytes},
          {"total_bytes", plan.memory.total_bytes()}}},
        {"server_pid", pid > 0 ? Json(pid) : Json(nullptr)},
        {"report", report}};
}

std::string serve_text(const Model& model, const RunPlan& plan, const ServeOptions& options,
                       const std::filesystem::path& log) {
    return fmt::format(
        "{} at {}/v1 ({} tokens of context for {} at a time, {} cache, {})\n"
        "  {}/ech0/report       what runs here, as JSON\n"
        "  {}/ech0/dashboard/   the same as a page: this model, what else could run here, and why\n"
        "  log      {}\n"
        "  Ctrl-C stops it\n",
        printable(options.alias, 400), url_of(options), format_count(plan.n_ctx), options.n_parallel, plan.kv_type,
        format_memory(plan.memory.total_bytes()), url_of(options), url_of(options), printable(log.string(), 400));
}

std::string command_text(const std::filesystem::path& server, const std::vector<std::string>& arguments, bool has_key) {
    std::string text = has_key ? "LLAMA_API_KEY=… " : "";
    text += printable(shell_word(server.string()), 4000);
    for (const std::string& word : arguments) text += " " + printable(shell_word(word), 4000);
    return text + "\n";
}

}  // namespace ech0
