#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string profile =
    "[[machine]]\nname = \"my-box\"\ntitle = \"My box\"\nbackend = \"CPU\"\nmemory_total_bytes = 17179869184\n"
    "model_budget_bytes = 12884901888\nmodel_budget_why = \"three quarters\"\nmodel_budget_grade = \"predicted\"\n"
    "read_bytes_per_s = 50e9\nread_source = \"https://example.org/box\"\n"
    "[[machine.published]]\nmodel = \"llama 7B\"\ntype = \"Q4_0\"\nsize_bytes = 3825000000\nn_params = 6740000000\n"
    "tokens_per_s = 11.5\nsource = \"https://example.org/bench\"\n";

// In a home of its own, with nothing remembered.
RunOptions in(const TemporaryFolder& folder) {
    RunOptions options;
    options.folder = folder.path();
    options.environment = {{"HOME", folder.path().string()},
                           {"ECH0_CACHE", (folder / "cache").string()},
                           {"ECH0_CONFIG", (folder / "config").string()}};
    return options;
}

json json_of(const Finished& ran) {
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    REQUIRE(ran.err == "");
    return json::parse(ran.out);
}

}  // namespace

TEST_CASE("doctor says what a model may use, why, and how fast it is read") {
    const TemporaryFolder folder;
    const Finished ran = run_ech0({"doctor"}, in(folder));
    CHECK(ran.status == 0);
    CHECK(ran.err == "");
    for (const char* part : {"runs on       ", "for a model   ", "(measured)", " = ", "reads         ", " GB/s",
                             "cores", "instructions", "engine        llama.cpp", "disk", "current folder"}) {
        CAPTURE(part);
        CHECK(ran.out.find(part) != std::string::npos);
    }
    CHECK(fs::exists(folder / "cache/machine.json"));
}

TEST_CASE("doctor says what a talk by voice lacks and how to get it") {
    const TemporaryFolder folder;
    RunOptions options = in(folder);
    options.environment["ECH0_VOICE"] = (folder / "no-voice").string();
    options.environment["PATH"] = folder.path().string();
    const json found = json_of(run_ech0({"doctor", "--json"}, options));
    REQUIRE(found["talk"].size() == 5);
    const std::vector<std::string> roles = {"microphone", "loudspeaker", "listener", "recognizer", "speaker"};
    for (size_t i = 0; i < roles.size(); i++) CHECK(found["talk"][i]["role"] == roles[i]);
    CHECK(found["talk"][2]["what"] == "loudness alone");
    CHECK(found["talk"][2]["remedy"] == "'ech0 setup --voice' fetches it");
    CHECK(found["talk"][3]["what"] == "");
    CHECK(found["talk"][3]["remedy"] == "'ech0 setup --voice' fetches it");
    const Finished text = run_ech0({"doctor"}, options);
    CHECK(text.out.find("recognizer   none") != std::string::npos);
    CHECK(text.out.find("'ech0 setup --voice' fetches it") != std::string::npos);
}

TEST_CASE("doctor --json agrees with the system and with itself") {
    const TemporaryFolder folder;
    const json found = json_of(run_ech0({"doctor", "--json"}, in(folder)));
    CHECK(found["schema"] == "ech0.doctor/1");
    CHECK(found["is_this"] == true);
    CHECK(found["model_budget_bytes"] <= found["memory_total_bytes"]);
    CHECK(found["read_bytes_per_s"] == found["read"]["best_bytes_per_s"]);
    CHECK(found["read"]["worst_bytes_per_s"] <= found["read"]["best_bytes_per_s"]);
    CHECK(found["cores"] <= found["host"]["cores_total"]);
    CHECK(found["backends"].size() >= 1);
    CHECK(found["disks"].size() == 2);
    const fs::space_info space = fs::space(folder.path());
    CHECK(found["disks"][1]["total_bytes"] == space.capacity);
    if (!fs::exists("/proc/meminfo") || found["backend"] != "CPU") return;
    const Finished awk = run({"awk", "/^MemTotal:/ {printf \"%.0f\", $2 * 1024}", "/proc/meminfo"});
    CHECK(found["memory_total_bytes"] == std::stoll(awk.out));
}

TEST_CASE("doctor works without HOME and says so") {
    const TemporaryFolder folder;
    RunOptions options = in(folder);
    for (const char* name : {"HOME", "ECH0_CACHE", "ECH0_CONFIG", "XDG_CONFIG_HOME"}) options.environment[name] = "";
    const json found = json_of(run_ech0({"doctor", "--json"}, options));
    bool told = false;
    for (const json& problem : found["problems"]) told = told || problem["what"].get<std::string>().find("HOME") < 30;
    CHECK(told);
    CHECK(found["disks"].size() == 1);
}

TEST_CASE("a limit of the address space is seen and bounds the budget") {
    const TemporaryFolder folder;
    const Finished ran =
        run({"sh", "-c", "ulimit -v 3000000 && exec " + run_ech0_path() + " doctor --json"}, in(folder));
    if (ran.status != 0) return;  // some systems have no such limit; a sanitizer needs more
    const json found = json::parse(ran.out);
    CHECK(found["model_budget_bytes"] < 3000000 * int64_t{1024});
    CHECK(found["budget_source"].get<std::string>().find("ulimit -v") != std::string::npos);
}

TEST_CASE("doctor --machine shows a profile of one's own, and --profiles lists it") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "config/machines");
    write_file(folder / "config/machines/mine.toml", profile);
    const Finished shown = run_ech0({"doctor", "--machine", "my-box"}, in(folder));
    CHECK(shown.status == 0);
    for (const char* part : {"My box (my-box)\n", "12.00 GiB (predicted)", "three quarters", "50.0 GB/s (published)",
                             "https://example.org/box", "llama 7B", "11.5", "https://example.org/bench"}) {
        CAPTURE(part);
        CHECK(shown.out.find(part) != std::string::npos);
    }
    const json found = json_of(run_ech0({"doctor", "--machine", "My-Box", "--json"}, in(folder)));
    CHECK(found["schema"] == "ech0.doctor/1");
    CHECK(found["model_budget_bytes"] == 12884901888);
    CHECK(found["read_grade"] == "published");
    CHECK(run_ech0({"doctor", "--profiles"}, in(folder)).out.find("my-box") != std::string::npos);
    const json all = json_of(run_ech0({"doctor", "--profiles", "--json"}, in(folder)));
    CHECK(all["schema"] == "ech0.machines/1");
    CHECK(all["machines"][0]["name"] == "my-box");
}

TEST_CASE("an unknown machine and a broken profile end with 2 and one line") {
    const TemporaryFolder folder;
    fs::create_directories(folder / "config/machines");
    write_file(folder / "config/machines/mine.toml", profile);
    Finished ran = run_ech0({"doctor", "--machine", "my-bx"}, in(folder));
    CHECK(ran.status == 2);
    CHECK(ran.out == "");
    CHECK(ran.err == "ech0: no machine 'my-bx'; did you mean 'my-box'?\n");
    write_file(folder / "config/machines/mine.toml", profile + "colour = \"red\"\n");
    ran = run_ech0({"doctor", "--profiles"}, in(folder));
    CHECK(ran.status == 2);
    CHECK(count_lines(ran.err) == 1);
    CHECK(ran.err.find("mine.toml: [[machine]] my-box: [[published]] 1: line ") != std::string::npos);
    CHECK(ran.err.find(": key 'colour' is not known") != std::string::npos);
}
