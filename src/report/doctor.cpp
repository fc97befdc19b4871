#include "report/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "ech0/units.h"
#include "report/machine.h"
#include "report/table.h"

namespace ech0 {
namespace {

std::string cores_text(const Host& host) {
    const std::string of = host.cores == host.cores_total ? "" : fmt::format(" of {}", host.cores_total);
    return fmt::format("{}{} physical", host.cores, of);
}

std::string swap_text(const Host& host) {
    if (host.swap_total_bytes == 0) return "none";
    return fmt::format("{} of {} used", format_memory(host.swap_used_bytes), format_memory(host.swap_total_bytes));
}

Facts host_facts(const Checkup& checkup) {
    const Machine& machine = checkup.probe.machine;
    return {{"processor", checkup.probe.host.processor},
            {"cores", cores_text(checkup.probe.host)},
            {"instructions", machine.isa.empty() ? "only what every such processor has"
                                                 : fmt::format("{}", fmt::join(machine.isa, " "))},
            {"swap", swap_text(checkup.probe.host)},
            {"engine", checkup.engine},
            {"backends", fmt::format("{}", fmt::join(checkup.backends, ", "))}};
}

std::string devices_text(const std::vector<Device>& devices, const Look& look) {
    using Align = Table::Align;
    if (devices.empty()) return "";
    Table table({{"device"}, {"backend"}, {"kind"}, {"what"}, {"memory", Align::right}, {"free", Align::right}});
    for (const Device& device : devices) {
        table.add({device.name, device.backend, device.kind, device.description,
                   format_memory(device.memory_total_bytes), format_memory(device.memory_free_bytes)});
    }
    return "\n" + table.text(look);
}

std::string runtimes_text(const std::vector<Runtime>& runtimes, const Look& look) {
    if (runtimes.empty())
        return "\nNeither Ollama nor llama.cpp nor LM Studio is installed; ech0 needs none of them.\n";
    Table table({{"runtime"}, {"version"}, {"where"}});
    for (const Runtime& runtime : runtimes)
        table.add({runtime.name, runtime.version.empty() ? "does not say" : runtime.version,
                   printable(runtime.path.string(), 400)});
    return "\n" + table.text(look);
}

std::string disks_text(const std::vector<Disk>& disks, const Look& look) {
    using Align = Table::Align;
    if (disks.empty()) return "";
    Table table({{"disk"}, {"free", Align::right}, {"of", Align::right}, {"where"}});
    for (const Disk& disk : disks)
        table.add({disk.use, format_disk(disk.free_bytes), format_disk(disk.total_bytes),
                   printable(disk.path.string(), 400)});
    return "\n" + table.text(look);
}

std::string talk_text(const std::vector<TalkPart>& parts, const Look& look) {
    if (parts.empty()) return "";
    Table table({{"talk"}, {"what there is"}, {"to get it"}});
    for (const TalkPart& part : parts)
        table.add({part.role, part.what.empty() ? "none" : printable(part.what, 400), printable(part.remedy, 400)});
    return "\n" + table.text(look);
}

std::string scores_text(const std::vector<ScoredKind>& scores) {
    if (scores.empty()) return "\nNo prediction has met its measurement here yet: ech0 bench MODEL makes them meet.\n";
    std::string text = "\nPredictions that held here:";
    for (const ScoredKind& s : scores) text += fmt::format(" {} {} of {},", s.kind, s.rate.n_hits, s.rate.n);
    text.back() = '\n';
    return text;
}

Json scores_json(const std::vector<ScoredKind>& scores) {
    Json array = Json::array();
    for (const ScoredKind& s : scores) array.push_back({{"kind", s.kind}, {"n", s.rate.n}, {"n_hits", s.rate.n_hits}});
    return array;
}

std::string problems_text(const std::vector<Problem>& problems) {
    if (problems.empty()) return "\nNothing is in the way.\n";
    std::string text = "\nTo fix:\n";
    for (const Problem& problem : problems) text += fmt::format("  - {}\n    {}\n", problem.what, problem.remedy);
    return text;
}

Json read_json(const std::optional<ReadBandwidth>& read) {
    if (!read) return nullptr;
    return {{"best_bytes_per_s", read->best_bytes_per_s},   {"median_bytes_per_s", read->median_bytes_per_s},
            {"worst_bytes_per_s", read->worst_bytes_per_s}, {"n_passes", read->n_passes},
            {"buffer_bytes", read->buffer_bytes},           {"n_threads", read->n_threads}};
}

Json memory_limit_json(const std::optional<MemoryLimit>& limit) {
    if (!limit) return nullptr;
    return {{"folder", limit->folder.string()}, {"limit_bytes", limit->limit_bytes}, {"used_bytes", limit->used_bytes}};
}

Json host_json(const Host& host) {
    return {{"processor", host.processor},
            {"cores_total", host.cores_total},
            {"load_average", host.load_average},
            {"last_cache_bytes", host.last_cache_bytes},
            {"swap_total_bytes", host.swap_total_bytes},
            {"swap_used_bytes", host.swap_used_bytes},
            {"memory_limit", memory_limit_json(host.memory_limit)},
            {"address_space_limit_bytes",
             host.address_space_limit_bytes ? Json(*host.address_space_limit_bytes) : Json(nullptr)},
            {"metal_wired_limit_mib", host.metal_wired_limit_mib ? Json(*host.metal_wired_limit_mib) : Json(nullptr)},
            {"gpu_makers", host.gpu_makers}};
}

Json runtimes_json(const std::vector<Runtime>& runtimes) {
    Json array = Json::array();
    for (const Runtime& runtime : runtimes)
        array.push_back({{"name", runtime.name}, {"version", runtime.version}, {"path", runtime.path.string()}});
    return array;
}

Json disks_json(const std::vector<Disk>& disks) {
    Json array = Json::array();
    for (const Disk& disk : disks) {
        array.push_back({{"use", disk.use},
                         {"path", disk.path.string()},
                         {"free_bytes", disk.free_bytes},
                         {"total_bytes", disk.total_bytes}});
    }
    return array;
}

Json talk_parts_json(const std::vector<TalkPart>& parts) {
    Json array = Json::array();
    for (const TalkPart& part : parts)
        array.push_back({{"role", part.role}, {"what", part.what}, {"remedy", part.remedy}});
    return array;
}

Json problems_json(const std::vector<Problem>& problems) {
    Json array = Json::array();
    for (const Problem& problem : problems) array.push_back({{"what", problem.what}, {"remedy", problem.remedy}});
    return array;
}

Json with_schema(const char* schema, const Json& rest) {
    Json json = {{"schema", schema}};
    json.update(rest);
    return json;
}

Host read_host(const Json& json, const Machine& machine) {
    Host host;
    json.at("processor").get_to(host.processor);
    host.cores = machine.cores;
    json.at("cores_total").get_to(host.cores_total);
    json.at("swap_total_bytes").get_to(host.swap_total_bytes);
    json.at("swap_used_bytes").get_to(host.swap_used_bytes);
    return host;
}

/// What the text shows of it.
Checkup read_checkup(const Json& json) {
    Checkup checkup;
    checkup.probe.machine = machine_from_json(json);
    checkup.probe.host = read_host(json.at("host"), checkup.probe.machine);
    json.at("backends").get_to(checkup.backends);
    json.at("engine").get_to(checkup.engine);
    for (const Json& r : json.at("runtimes"))
        checkup.runtimes.push_back(
            {.name = r.at("name"), .path = r.at("path").get<std::string>(), .version = r.at("version")});
    for (const Json& d : json.at("disks"))
        checkup.disks.push_back(
            {d.at("use"), d.at("path").get<std::string>(), d.at("free_bytes"), d.at("total_bytes")});
    for (const Json& s : json.at("scores")) checkup.scores.push_back({s.at("kind"), {s.at("n"), s.at("n_hits")}});
    for (const Json& t : json.value("talk", Json::array()))  // runs before it have none
        checkup.talk.push_back({t.at("role"), t.at("what"), t.at("remedy")});
    for (const Json& p : json.at("problems")) checkup.problems.push_back({p.at("what"), p.at("remedy")});
    return checkup;
}

}  // namespace

std::string doctor_text(const Checkup& checkup, const Look& look) {
    const Machine& machine = checkup.probe.machine;
    Facts facts = machine_facts(machine);
    const Facts more = host_facts(checkup);
    facts.insert(facts.end(), more.begin(), more.end());
    return heading_text(machine.title, look) + facts_text(facts, look) + devices_text(machine.devices, look) +
           runtimes_text(checkup.runtimes, look) + disks_text(checkup.disks, look) + talk_text(checkup.talk, look) +
           scores_text(checkup.scores) + problems_text(checkup.problems);
}

Json doctor_json(const Checkup& checkup) {
    Json json = with_schema("ech0.doctor/1", to_json(checkup.probe.machine));
    json["backends"] = checkup.backends;
    json["engine"] = checkup.engine;
    json["host"] = host_json(checkup.probe.host);
    json["read"] = read_json(checkup.probe.read);
    json["runtimes"] = runtimes_json(checkup.runtimes);
    json["disks"] = disks_json(checkup.disks);
    json["scores"] = scores_json(checkup.scores);
    json["talk"] = talk_parts_json(checkup.talk);
    json["problems"] = problems_json(checkup.problems);
    return json;
}

std::string profile_text(const Machine& machine, const Look& look) {
    Facts facts = machine_facts(machine);
    if (machine.cores > 0) facts.emplace_back("cores", std::to_string(machine.cores));
    std::string text = heading_text(fmt::format("{} ({})", printable(machine.title, 400), machine.name), look) +
                       facts_text(facts, look);
    if (machine.published.empty()) return text;
    using Align = Table::Align;
    Table table(
        {{"measured by others"}, {"type"}, {"prompt tokens/s", Align::right}, {"tokens/s", Align::right}, {"source"}});
    const auto speed_text = [](double per_s) { return per_s > 0 ? fmt::format("{:.1f}", per_s) : ""; };
    for (const PublishedSpeed& speed : machine.published)
        table.add({speed.model, speed.type, speed_text(speed.prompt_tokens_per_s), speed_text(speed.tokens_per_s),
                   speed.source});
    return text + "\n" + table.text(look);
}

Json profile_json(const Machine& machine) {
    Json json = with_schema("ech0.doctor/1", to_json(machine));
    for (const char* key : {"backends", "runtimes", "disks", "talk", "scores", "problems"}) json[key] = Json::array();
    for (const char* key : {"engine", "host", "read"}) json[key] = nullptr;
    return json;
}

std::string doctor_text_from_json(const Json& json, const Look& look) {
    return from_json("ech0.doctor/1", json, [&] {
        const Machine machine = machine_from_json(json);
        return json.at("engine").is_null() ? profile_text(machine, look) : doctor_text(read_checkup(json), look);
    });
}

std::string profiles_text(const std::vector<Machine>& machines) {
    using Align = Table::Align;
    Table table({{"machine"},
                 {"what"},
                 {"runs on"},
                 {"memory", Align::right},
                 {"for a model", Align::right},
                 {"reads", Align::right}});
    for (const Machine& machine : machines) {
        table.add({machine.name, printable(machine.title), machine.backend, format_memory(machine.memory_total_bytes),
                   format_memory(machine.model_budget_bytes), bandwidth_text(machine.read_bytes_per_s)});
    }
    return table.text() + "\nEach figure with its source: ech0 doctor --machine NAME\n";
}

Json profiles_json(const std::vector<Machine>& machines) {
    Json array = Json::array();
    for (const Machine& machine : machines) array.push_back(to_json(machine));
    return {{"schema", "ech0.machines/1"}, {"machines", array}};
}

}  // namespace ech0
