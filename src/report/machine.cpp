#include "report/machine.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ech0/units.h"

namespace ech0 {
namespace {

Json to_json(const Device& device) {
    return {{"name", device.name},
            {"description", device.description},
            {"backend", device.backend},
            {"kind", device.kind},
            {"memory_total_bytes", device.memory_total_bytes},
            {"memory_free_bytes", device.memory_free_bytes}};
}

Json to_json(const PublishedSpeed& speed) {
    return {{"model", speed.model},
            {"type", speed.type},
            {"size_bytes", speed.size_bytes},
            {"n_params", speed.n_params},
            {"prompt_tokens_per_s", speed.prompt_tokens_per_s},
            {"tokens_per_s", speed.tokens_per_s},
            {"source", speed.source}};
}

template <class Value>
Json array_of(const std::vector<Value>& values) {
    Json array = Json::array();
    for (const Value& value : values) array.push_back(to_json(value));
    return array;
}

}  // namespace

Json to_json(const Machine& machine) {
    return {{"name", machine.name},
            {"title", machine.title},
            {"aliases", machine.aliases},
            {"is_this", machine.is_this},
            {"backend", machine.backend},
            {"memory_total_bytes", machine.memory_total_bytes},
            {"memory_available_bytes", machine.memory_available_bytes},
            {"model_budget_bytes", machine.model_budget_bytes},
            {"budget_source", machine.budget_source},
            {"budget_grade", grade_name(machine.budget_grade)},
            {"read_bytes_per_s", machine.read_bytes_per_s},
            {"read_source", machine.read_source},
            {"read_grade", grade_name(machine.read_grade)},
            {"flops_per_s", machine.flops_per_s},
            {"flops_source", machine.flops_source},
            {"cores", machine.cores},
            {"isa", machine.isa},
            {"devices", array_of(machine.devices)},
            {"published", array_of(machine.published)}};
}

Machine machine_from_json(const Json& json) {
    Machine machine;
    json.at("name").get_to(machine.name);
    json.at("title").get_to(machine.title);
    json.at("aliases").get_to(machine.aliases);
    json.at("is_this").get_to(machine.is_this);
    json.at("backend").get_to(machine.backend);
    json.at("memory_total_bytes").get_to(machine.memory_total_bytes);
    json.at("memory_available_bytes").get_to(machine.memory_available_bytes);
    json.at("model_budget_bytes").get_to(machine.model_budget_bytes);
    json.at("budget_source").get_to(machine.budget_source);
    machine.budget_grade = grade_by_name(json.at("budget_grade").get<std::string>());
    json.at("read_bytes_per_s").get_to(machine.read_bytes_per_s);
    json.at("read_source").get_to(machine.read_source);
    machine.read_grade = grade_by_name(json.at("read_grade").get<std::string>());
    json.at("flops_per_s").get_to(machine.flops_per_s);
    json.at("flops_source").get_to(machine.flops_source);
    json.at("cores").get_to(machine.cores);
    json.at("isa").get_to(machine.isa);
    for (const Json& device : json.at("devices"))
        machine.devices.push_back({device.at("name"), device.at("description"), device.at("backend"), device.at("kind"),
                                   device.at("memory_total_bytes"), device.at("memory_free_bytes")});
    for (const Json& speed : json.at("published"))
        machine.published.push_back({speed.at("model"), speed.at("type"), speed.at("size_bytes"), speed.at("n_params"),
                                     speed.at("prompt_tokens_per_s"), speed.at("tokens_per_s"), speed.at("source")});
    return machine;
}

std::string bandwidth_text(double bytes_per_s) {
    return bytes_per_s > 0 ? fmt::format("{:.1f} GB/s", bytes_per_s / 1e9) : "not known";
}

Facts machine_facts(const Machine& machine) {
    const std::string available = machine.memory_available_bytes > 0
                                      ? fmt::format(", {} available", format_memory(machine.memory_available_bytes))
                                      : "";
    Facts facts = {
        {"runs on", machine.backend},
        {"memory", format_memory(machine.memory_total_bytes) + available},
        {"for a model",
         fmt::format("{} ({})", format_memory(machine.model_budget_bytes), grade_name(machine.budget_grade))},
        {"", machine.budget_source},
        {"reads", machine.read_bytes_per_s > 0
                      ? fmt::format("{} ({})", bandwidth_text(machine.read_bytes_per_s), grade_name(machine.read_grade))
                      : bandwidth_text(0)},
        {"", machine.read_source},
    };
    if (machine.flops_per_s > 0) {
        facts.emplace_back("computes",
                           fmt::format("{:.3g} TFLOPS, half precision (published)", machine.flops_per_s / 1e12));
        facts.emplace_back("", machine.flops_source);
    }
    return facts;
}

std::string facts_text(const Facts& facts, const Look& look) {
    std::string text;
    for (const auto& [name, value] : facts) {
        if (look.markdown)
            text += name.empty() ? fmt::format("  {}\n", printable(value, 2000))
                                 : fmt::format("- **{}**: {}\n", name, printable(value, 2000));
        else
            text += fmt::format("  {:<13} {}\n", name, printable(value, 2000));
    }
    return text;
}

}  // namespace ech0
