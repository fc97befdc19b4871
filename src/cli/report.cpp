#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/file.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/run_file.h"
#include "cli/terminal_look.h"
#include "ech0/error.h"
#include "report/page.h"
#include "report/run_difference.h"
#include "report/run_view.h"
#include "report/schema.h"

namespace ech0 {
namespace {

struct Arguments {
    std::filesystem::path run, other, out;
    std::string format = "text", schema;
    bool open = false;
};

int print_schema(const std::string& name) {
    if (name == "all") {
        print(fmt::format("{}\n", fmt::join(schema_names(), "\n")));
    } else {
        print(json_text(json_schema(name)));
    }
    return exit_yes;
}

Evidence proof_in(const Json& run, const std::filesystem::path& file) {
    if (std::optional<Evidence> evidence = evidence_of(run)) return *std::move(evidence);
    throw UsageError(
        fmt::format("{}: an {} has no figures of quality to compare; verify, compress, optimize and demo "
                    "have",
                    printable(file.string(), 400), run.at("schema").get<std::string>()));
}

Look look_of(const Arguments& arguments) {
    Look look;
    if (arguments.out.empty()) look = terminal_look();
    look.markdown = arguments.format == "markdown";
    if (look.markdown) look.colour = false;
    return look;
}

int compare(const Arguments& arguments) {
    if (arguments.format == "html") throw UsageError("--compare: text or markdown, there is no page of a difference");
    const Evidence a = proof_in(read_run(arguments.run), arguments.run),
                   b = proof_in(read_run(arguments.other), arguments.other);
    const std::vector<std::string> reasons = why_not_comparable(a, b);
    const Look look = look_of(arguments);
    const std::string text =
        wrapped(reasons.empty() ? difference_text(a, b, look)
                                : fmt::format("Not comparable:\n  {}\n", fmt::join(reasons, "\n  ")),
                look);
    if (arguments.out.empty())
        print(text);
    else
        write_file(arguments.out, text);
    return reasons.empty() ? exit_yes : exit_no;
}

/// A page to look at now needs a place: beside the other things that can be made again.
std::filesystem::path page_file(const std::string& page) {
    const std::filesystem::path folder = cache_folder() / "reports";
    std::filesystem::create_directories(folder);
    return folder / (sha256(page).substr(0, 16) + ".html");
}

int show(const Arguments& arguments) {
    const Json run = read_run(arguments.run);
    const bool html = arguments.format == "html";
    const Look look = look_of(arguments);
    const std::string text = html ? page_html(run) : wrapped(run_view(run, look), look);
    std::filesystem::path out = arguments.out;
    if (out.empty() && arguments.open && html) out = page_file(text);
    if (out.empty()) {
        print(text);
    } else {
        write_file(out, text);
        print(fmt::format("wrote {}\n", printable(out.string(), 400)));
    }
    if (arguments.open) open_in_browser(out);
    return exit_yes;
}

int report(Arguments arguments) {
    if (!arguments.schema.empty()) return print_schema(arguments.schema);
    if (arguments.run.empty()) throw UsageError("no report: give the JSON that a command wrote with --json, or '-'");
    if (arguments.open && arguments.format == "text") arguments.format = "html";
    if (arguments.open && arguments.format != "html") throw UsageError("--open shows a page: --format html");
    return arguments.other.empty() ? show(arguments) : compare(arguments);
}

}  // namespace

void add_report(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "report", "what a command wrote with --json, as text, Markdown or a page",
                    "  ech0 report run.json                               as the command would have said it\n"
                    "  ech0 report run.json --format markdown -o run.md   for people who read it elsewhere\n"
                    "  ech0 report run.json --open                        a page in the browser\n"
                    "  ech0 report new.json --compare old.json            the difference, if the two may be compared\n"
                    "  ech0 report --schema ech0.verify/1                 the format, as JSON Schema",
                    [arguments] { return report(*arguments); });
    command->add_option("RUN", arguments->run, "a file with the JSON of a run; - is stdin")->type_name("RUN.json");
    command->add_option("--format", arguments->format, "text, markdown or html")
        ->type_name("WHAT")
        ->capture_default_str()
        ->check(CLI::IsMember({"text", "markdown", "html"}));
    command->add_option("-o,--output", arguments->out, "write it to a file instead of stdout")->type_name("FILE");
    command->add_option("--compare", arguments->other, "another run, to compare what both measured")
        ->type_name("OTHER.json");
    command->add_flag("--open", arguments->open, "show it as a page in the browser");
    command
        ->add_option("--schema", arguments->schema, "print a format of docs/json.md as JSON Schema; 'all' lists them")
        ->type_name("NAME");
}

}  // namespace ech0
