#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/paths.h"
#include "base/private_folder.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/dashboard_data.h"
#include "cli/run_options.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/page.h"
#include "report/schema.h"
#include "report/serve.h"
#include "serve/llama_server.h"
#include "serve/port.h"
#include "serve/supervisor.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

struct Arguments {
    std::string model, report, session_folder;
    RunOptions run;
    ServeOptions options;
    std::optional<std::string> host;
    std::optional<int64_t> port;
    bool print_command = false, json = false;
};

void note(std::string_view text) { fmt::print(stderr, "ech0: {}\n", printable(text, 4000)); }

void check_key(const ServeOptions& options) {
    if (options.api_key.find_first_of("\r\n,") != std::string::npos)
        throw UsageError("--api-key: a key has no comma and no line break");
    if (is_loopback(options.host) || !options.api_key.empty()) return;
    throw UsageError(
        fmt::format("--host {}: other machines reach this address; give a key (--api-key, or ECH0_API_KEY)",
                    printable(options.host)));
}

// The port that was named must be free; another one may stand for the usual one.
int64_t choose_port(const Arguments& arguments, const Config& config, const std::string& host) {
    const int64_t wanted = arguments.port.value_or(config.port);
    if (wanted == 0) return any_free_port(host);
    if (port_is_free(host, wanted)) return wanted;
    if (arguments.port)
        throw UsageError(fmt::format("port {} of {} is in use: name another, or --port 0 for any", wanted, host));
    const int64_t other = any_free_port(host);
    note(fmt::format("port {} of {} is in use; taking {}", wanted, host, other));
    return other;
}

ServeOptions options_of(const Arguments& arguments, const Config& config, const Model& model) {
    ServeOptions options = arguments.options;
    options.host = arguments.host.value_or(config.host);
    check_key(options);
    options.port = choose_port(arguments, config, options.host);
    options.slots = arguments.session_folder;
    if (options.alias.empty()) options.alias = model.files.front().stem().string();
    return options;
}

// Served by the server itself, beside its own paths: no process stands in between.
void write_site(const fs::path& site, const Json& about) {
    make_folder(site / "ech0");
    for (const char* name : {"report", "report.json"}) write_file(site / "ech0" / name, json_text(about));
}

/// The decision page, at /ech0/dashboard/: this model and what else could be made of it here, beside the report. What
/// goes wrong with it is no reason not to serve.
void write_dashboard(const fs::path& site, const Model& model, const RunPlan& plan, int n_threads, const Json& report) {
    try {
        DashboardWish wish{{model}, {}, {}, n_threads, {}};
        wish.conditions.machine = probe_machine();
        wish.conditions.n_ctx = plan.n_ctx;
        wish.conditions.kv_types = {plan.kv_type};
        wish.command =
            fmt::format("ech0 dashboard {} --ctx {} --kv {}", shell_word(model.asked), plan.n_ctx, plan.kv_type);
        if (report.is_object() && schema_faults(report, 1).empty()) wish.runs.push_back(report);
        make_folder(site / "ech0" / "dashboard");
        write_file(site / "ech0" / "dashboard" / "index.html",
                   page_html(dashboard_json(make_dashboard(std::move(wish)))));
    } catch (const std::exception& error) {
        note(fmt::format("there is no dashboard: {}", error.what()));
    }
}

Json last_report(const std::string& file) {
    if (file.empty()) return nullptr;
    try {
        return Json::parse(read_file(file));
    } catch (const Json::parse_error& error) {
        throw FormatError(fmt::format("{}: no JSON: {}", printable(file, 400), printable(error.what(), 200)));
    }
}

int serve(const Arguments& arguments) {
    const Config config = read_config();
    const Model model = read_model(model_or_configured(arguments.model, config));
    model.require_weights();
    const fs::path server = find_llama_server();
    ServeOptions options = options_of(arguments, config, model);
    const PlannedRun run = plan_run_here(model, arguments.run, config);
    const RunPlan& plan = run.plan;
    if (!plan.kv_why.empty()) note(plan.kv_why);
    if (!plan.fits && run.split.remote.empty())
        note(fmt::format("{} are needed and {} free: it will be slow; see 'ech0 fit {}'",
                         format_memory(plan.memory.total_bytes()), format_memory(plan.budget_bytes),
                         shell_word(model.asked)));
    options.remote = run.split.remote;
    options.n_threads = arguments.run.wish.n_threads;
    const fs::path folder = state_folder() / "serve";
    options.site = folder / fmt::format("site-{}", options.port);
    const std::vector<std::string> words = server_arguments(model, plan, options);
    if (arguments.print_command) {
        print(command_text(server, words, !options.api_key.empty()));
        return exit_yes;
    }
    if (!options.slots.empty()) make_private_folder(options.slots);
    const Json report = last_report(arguments.report);
    write_site(options.site, serve_json(model, plan, options, report));
    write_dashboard(options.site, model, plan, options.n_threads, report);
    Watched watched{{server, words, server_environment(options)},
                    options.host,
                    options.port,
                    folder / fmt::format("server-{}.log", options.port),
                    model.files,
                    {},
                    {},
                    {}};
    bool told = false;
    watched.on_ready = [&](pid_t pid) {
        if (!told)
            print(arguments.json ? json_text(serve_json(model, plan, options, nullptr, pid))
                                 : serve_text(model, plan, options, watched.log));
        if (told) note("the server is ready again");
        told = true;
    };
    watched.on_trouble = note;
    supervise(watched);
    return exit_yes;
}

}  // namespace

void add_serve(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "serve", "an OpenAI-compatible server, llama-server of this engine with the plan's flags, kept running",
        "  ech0 serve model.gguf                          for programs on this machine\n"
        "  ech0 serve --port 0 --json                     the chosen model on any free port\n"
        "  ECH0_API_KEY=… ech0 serve --host 0.0.0.0       for others too\n"
        "  ech0 serve model.gguf --print-command          what would be run\n"
        "  ech0 serve model.gguf -- --metrics             with a flag of llama-server's own",
        [arguments] { return serve(*arguments); });
    ServeOptions& options = arguments->options;
    add_model_or_configured(command, arguments->model);
    command->add_option("FLAG", options.further, "behind --: flags for llama-server itself");
    command->add_option("--host", arguments->host, "address to listen on (default: 127.0.0.1)")->type_name("ADDRESS");
    command
        ->add_option("--port", arguments->port,
                     "port to listen on; 0 takes any (default: 8080, or any if it is in use)")
        ->type_name("N")
        ->check(CLI::Range(0, 65535));
    command
        ->add_option("--api-key", options.api_key, "key that clients must send; needed where others reach the address")
        ->type_name("KEY")
        ->envname("ECH0_API_KEY");
    add_run_options(command, arguments->run);
    command->add_option("--parallel", options.n_parallel, "answers at a time")
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(1, 256));
    command->add_option("--alias", options.alias, "the model's name for clients (default: the file's)")
        ->type_name("NAME");
    command
        ->add_option("--session-dir", arguments->session_folder,
                     "where clients may save and restore slots (POST /slots/N?action=save; llama-server's own files)")
        ->type_name("DIR");
    command->add_flag("--embeddings", options.embeddings, "answer /v1/embeddings too (mean over the tokens)");
    command->add_option("--report", arguments->report, "a report of ech0's (JSON) to show at /ech0/report")
        ->type_name("FILE");
    command->add_flag("--print-command", arguments->print_command, "print the server's command line, and run nothing");
    add_json(command, arguments->json);
}

}  // namespace ech0
