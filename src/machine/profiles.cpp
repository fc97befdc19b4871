#include "machine/profiles.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/toml.h"
#include "ech0/error.h"
#include "embedded/machine_profiles.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

// Names are typed in a shell: "m4-24gb".
bool is_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), allowed) && text[0] != '-' && text != "this";
}

double above_zero(TomlTable& table, std::string_view key) {
    const double value = table.number(key);
    if (value <= 0) table.refuse(key, "a number above 0");
    return value;
}

double above_zero_or_none(TomlTable& table, std::string_view key) {
    return table.has(key) ? above_zero(table, key) : table.number_or(key, 0);
}

void read_names(TomlTable& table, Machine& machine) {
    const std::string_view wanted = "small letters, digits, '-', '.', '_', not '-' first, and not 'this'";
    machine.name = table.text("name");
    if (!is_name(machine.name)) table.refuse("name", wanted);
    machine.aliases = table.texts("aliases");
    if (!std::all_of(machine.aliases.begin(), machine.aliases.end(), is_name)) table.refuse("aliases", wanted);
    machine.title = table.text("title");
    machine.backend = table.text("backend");
}

Grade grade_of(TomlTable& table, std::string_view key) {
    const std::string text = table.text(key);
    for (const Grade grade : {Grade::published, Grade::predicted})
        if (text == grade_name(grade)) return grade;
    table.refuse(key, "'published' or 'predicted'");
}

void read_memory(TomlTable& table, Machine& machine) {
    machine.memory_total_bytes = table.integer("memory_total_bytes", 1);
    machine.model_budget_bytes = table.integer("model_budget_bytes", 1);
    if (machine.model_budget_bytes > machine.memory_total_bytes)
        table.refuse("model_budget_bytes", fmt::format("at most memory_total_bytes, {}", machine.memory_total_bytes));
    const std::string why = table.text("model_budget_why"), source = table.text_or("model_budget_source", "");
    machine.budget_source = source.empty() ? why : fmt::format("{} ({})", why, source);
    machine.budget_grade = grade_of(table, "model_budget_grade");
}

void read_speed(TomlTable& table, Machine& machine) {
    machine.read_bytes_per_s = above_zero(table, "read_bytes_per_s");
    machine.read_source = table.text("read_source");
    machine.read_grade = Grade::published;
    machine.flops_per_s = above_zero_or_none(table, "flops_per_s");
    machine.flops_source = machine.flops_per_s > 0 ? table.text("flops_source") : table.text_or("flops_source", "");
    machine.cores = table.integer_or("cores", 0, 1);
}

PublishedSpeed read_published(TomlTable& table) {
    PublishedSpeed speed;
    speed.model = table.text("model");
    speed.type = table.text("type");
    speed.size_bytes = table.integer("size_bytes", 1);
    speed.n_params = table.integer("n_params", 1);
    speed.prompt_tokens_per_s = above_zero_or_none(table, "prompt_tokens_per_s");
    speed.tokens_per_s = above_zero_or_none(table, "tokens_per_s");
    if (speed.prompt_tokens_per_s == 0 && speed.tokens_per_s == 0)
        table.refuse("tokens_per_s", "it, or prompt_tokens_per_s, or both");
    speed.source = table.text("source");
    table.done();
    return speed;
}

Machine read_machine(TomlTable& table) {
    Machine machine;
    read_names(table, machine);
    read_memory(table, machine);
    read_speed(table, machine);
    for (TomlTable& published : table.tables("published")) machine.published.push_back(read_published(published));
    table.done();
    return machine;
}

void refuse_repeated(const std::vector<Machine>& machines, std::string_view file) {
    std::set<std::string> seen;
    for (const Machine& machine : machines) {
        std::vector<std::string> names = machine.aliases;
        names.push_back(machine.name);
        for (const std::string& name : names) {
            if (seen.insert(name).second) continue;
            throw FormatError(fmt::format("{}: machine '{}': the name '{}' is given twice; each must be one machine's",
                                          printable(file, 400), machine.name, name));
        }
    }
}

// Sorted, so that an error is about the same file each time.
std::vector<fs::path> own_files() {
    std::vector<fs::path> files;
    std::error_code failure;
    try {
        for (const fs::directory_entry& entry : fs::directory_iterator(config_folder() / "machines", failure))
            if (entry.path().extension() == ".toml") files.push_back(entry.path());
    } catch (const UsageError&) {  // no HOME: then nobody has machines of their own
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<Machine> own_profiles() {
    std::vector<Machine> machines;
    for (const fs::path& file : own_files()) {
        std::vector<Machine> more = parse_profiles(read_file(file), file.string());
        std::move(more.begin(), more.end(), std::back_inserter(machines));
        refuse_repeated(machines, file.string());
    }
    return machines;
}

}  // namespace

std::vector<Machine> parse_profiles(std::string_view toml, std::string_view file) {
    const TomlDocument document(toml, printable(file, 400));
    TomlTable root = document.root();
    std::vector<Machine> machines;
    for (TomlTable& table : root.tables("machine")) machines.push_back(read_machine(table));
    root.done();
    refuse_repeated(machines, file);
    return machines;
}

std::vector<Machine> machine_profiles() {
    std::vector<Machine> machines = own_profiles();
    const auto own_end = static_cast<std::ptrdiff_t>(machines.size());
    for (Machine& built_in : parse_profiles(embedded::machine_profiles(), "built-in machine profiles")) {
        const bool replaced = std::any_of(machines.begin(), machines.begin() + own_end,
                                          [&](const Machine& own) { return own.name == built_in.name; });
        if (!replaced) machines.push_back(std::move(built_in));
    }
    return machines;
}

}  // namespace ech0
