// docs/json.md against what the commands print. The page is the contract: a key that it does not list is refused here,
// so that nothing gets into the JSON without a word about what it means.

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/engine_state.h"
#include "support/run.h"
#include "support/store_tree.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

using Types = std::set<std::string>;          // "string", "integer", …
using Format = std::map<std::string, Types>;  // by path: "tensors[].name"

std::set<std::string> split_types(const std::string& cell) {
    Types types;
    std::istringstream words(cell);
    for (std::string word; words >> word;)
        if (word != "or") types.insert(word);
    return types;
}

// The formats as the page has them, with formats inside formats written out.
std::map<std::string, Format> documented_formats() {
    std::map<std::string, Format> formats;
    std::string current;
    std::istringstream page(read_file(ECH0_SOURCE_FOLDER "/docs/json.md"));
    const std::regex heading("## (ech0\\..*)"), row(R"(\| `([^`]+)` \| `?([^|`]*?)`? \|.*)");
    for (std::string line; std::getline(page, line);) {
        std::smatch match;
        if (std::regex_match(line, match, heading))
            current = match[1];
        else if (std::regex_match(line, match, row) && match[2].str().starts_with("ech0."))
            for (const auto& [path, types] : formats.at(match[2]))
                formats[current][match[1].str() + "." + path] = types;
        else if (std::regex_match(line, match, row))
            formats[current][match[1]] = split_types(match[2]);
    }
    return formats;
}

std::string type_of(const json& value) {
    if (value.is_number_integer()) return "integer";
    if (value.is_number()) return "number";
    return value.type_name();
}

bool fits(const json& value, const Types& types) {
    return types.contains("any") || types.contains(type_of(value)) || (value.is_number() && types.contains("number"));
}

// Paths of the page that lie below this one: an object or array there may be empty, or null.
bool has_children(const Format& format, const std::string& path) {
    const auto next = format.lower_bound(path);
    for (auto at = next; at != format.end() && at->first.starts_with(path); ++at)
        if (at->first.starts_with(path + "[]") || at->first.starts_with(path + ".")) return true;
    return false;
}

struct Check {
    const Format& format;
    std::set<std::string> seen;
    std::vector<std::string> faults;

    void value(const std::string& path, const json& found) {
        const auto listed = format.find(path);
        if (listed != format.end()) {
            seen.insert(path);
            if (!fits(found, listed->second)) faults.push_back(path + " is " + type_of(found));
            // An object or array that may be absent has a row of its own above those of what is in it.
            if (!has_children(format, path)) return;
            if (found.is_object()) object(path + ".", found);
            if (found.is_array())
                for (const json& element : found) value(path + "[]", element);
        } else if (found.is_object() && has_children(format, path)) {
            object(path + ".", found);
        } else if (found.is_array() && has_children(format, path)) {
            for (const json& element : found) value(path + "[]", element);
        } else if (!found.is_null() || !has_children(format, path)) {
            faults.push_back(path + " is not in docs/json.md");
        }
    }

    void object(const std::string& prefix, const json& found) {
        const bool any_key = format.contains(prefix + "*");
        for (const auto& [key, child] : found.items()) value(prefix + (any_key ? "*" : key), child);
    }
};

// What is wrong with an object, by the page.
std::vector<std::string> faults_of(const json& found, const std::set<std::string>& may_be_absent = {}) {
    static const std::map<std::string, Format> formats = documented_formats();
    const Format& format = formats.at(found.at("schema"));
    Check check{format, {}, {}};
    check.object("", found);
    for (const auto& [path, types] : format) {
        bool excused = check.seen.contains(path);
        for (const std::string& prefix : may_be_absent) excused = excused || path.find(prefix) != std::string::npos;
        if (!excused) check.faults.push_back(path + " was not printed");
    }
    return check.faults;
}

json json_of(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
    RunOptions options;
    options.folder = folder;
    options.environment["ECH0_CACHE"] = (folder / "cache").string();
    const Finished ran = run_ech0(arguments, options);
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    return json::parse(ran.out);
}

const std::vector<std::string> none;

void write_source(const TemporaryFolder& folder) {
    TinyModel tiny;
    tiny.n_ctx_train = 2048;
    tiny.type = GGML_TYPE_F16;
    write_tiny_model(tiny, folder / "m.gguf");
}

}  // namespace

TEST_CASE("the check of JSON by docs/json.md finds a key too many, one too few, and a wrong type") {
    const TemporaryFolder folder;
    write_source(folder);
    json found = json_of({"inspect", "m.gguf", "--json"}, folder.path());
    REQUIRE(faults_of(found, {"provenance"}) == none);
    found["surprise"] = 1;
    found["tensors"][0]["colour"] = "red";
    found["n_layer"] = "two";
    found.erase("n_vocab");
    const std::vector<std::string> faults = faults_of(found, {"provenance"});
    CHECK(std::set<std::string>(faults.begin(), faults.end()) ==
          std::set<std::string>{"surprise is not in docs/json.md", "tensors[].colour is not in docs/json.md",
                                "n_layer is string", "n_vocab was not printed"});
}

TEST_CASE("doctor prints what docs/json.md says") {
    const TemporaryFolder folder;
    // What this machine does not have can't be printed: limits, cards, other programs, published speeds.
    const std::set<std::string> may_be_absent = {"published",       "runtimes", "problems", "host.memory_limit",
                                                 "host.gpu_makers", "aliases",  "isa",      "scores"};
    CHECK(faults_of(json_of({"doctor", "--json"}, folder.path()), may_be_absent) == none);
    CHECK(faults_of(json_of({"doctor", "--profiles", "--json"}, folder.path()), {"machines"}) == none);
}

TEST_CASE("fit and bench print what docs/json.md says, and then doctor has scores") {
    const TemporaryFolder folder;
    write_source(folder);
    CHECK(faults_of(json_of({"fit", "qwen2.5:0.5b", "--machine", "m4-24gb", "--json"}, folder.path()), {"refused"}) ==
          none);
    CHECK(faults_of(json_of({"bench", "m.gguf", "--ctx", "256", "--prompt", "64", "--generate", "8", "--repeat", "1",
                             "--threads", "1", "--json"},
                            folder.path())) == none);
    CHECK(json_of({"doctor", "--json"}, folder.path())["scores"].size() == 3);
}

TEST_CASE("kv plan prints what docs/json.md says, and fit then what a cache loses") {
    const TemporaryFolder folder;
    TinyModel tiny;
    tiny.n_embd_head = 32;  // which blocks of 32 divide
    tiny.n_ctx_train = 512;
    tiny.type = GGML_TYPE_F16;
    write_tiny_model(tiny, folder / "m.gguf");
    const json plan = json_of({"kv", "plan", "m.gguf", "--ctx", "256", "--k", "q8_0,q4_0", "--v", "q8_0", "--texts",
                               "1", "--max-kl", "1", "--threads", "1", "--json"},
                              folder.path());
    CHECK(faults_of(plan, {"refused"}) == none);
    CHECK(plan["pairs"].size() == 6);
    CHECK(plan["chosen"].is_string());
    const json fit = json_of({"fit", "m.gguf", "--ctx", "256", "--threads", "1", "--json"}, folder.path());
    CHECK(faults_of(fit, {"perplexity", "refused"}) == none);
    std::set<std::string> types;
    for (const json& option : fit["options"]) {
        types.insert(option["kv_type"].get<std::string>());
        CHECK(option["kv_loss"].is_object());
    }
    CHECK(types.contains(plan["chosen"].get<std::string>()));
    // The page decides with the same knowledge.
    const json page = json_of({"dashboard", "m.gguf", "--ctx", "256", "--threads", "1", "--json"}, folder.path());
    REQUIRE(page["fit"]["options"].size() == fit["options"].size());
    for (size_t i = 0; i < fit["options"].size(); i++)
        CHECK(page["fit"]["options"][i]["kv_loss"] == fit["options"][i]["kv_loss"]);
    CHECK(page["basis"]["models"][0]["caches"][0]["loss"].is_object());
}

TEST_CASE("kv pack, unpack, info and profile print what docs/json.md says") {
    const EmptyHome home;
    const std::filesystem::path& folder = home.folder.path();
    EngineStateOptions cache;
    cache.model.n_embd = 128, cache.model.n_head = 2, cache.model.n_head_kv = 1, cache.model.n_embd_head = 64;
    cache.n_tokens = 70;
    write_tiny_model(cache.model, folder / "m.gguf");
    write_file(folder / "s.bin", make_engine_state(cache).sequence);
    CHECK(faults_of(json_of({"kv", "profile", "m.gguf", "--ctx", "128", "--chunks", "3", "--threads", "1", "--json"},
                            folder)) == none);
    CHECK(faults_of(json_of({"kv", "info", "s.bin", "--json"}, folder), {"blocks", "damaged"}) == none);
    const Finished keep =
        run_ech0({"kv", "keep", "m.gguf", "--ctx", "700", "--keep", "350", "--texts", "1", "--threads", "1", "--json"},
                 {.folder = folder});
    CHECK_MESSAGE(keep.status <= 1, keep.err);
    CHECK(faults_of(json::parse(keep.out)) == none);
    const json lossless = json_of({"kv", "pack", "s.bin", "--json"}, folder);
    CHECK(faults_of(lossless) == none);
    CHECK(lossless["kl_divergence"] == 0);
    CHECK(faults_of(json_of({"kv", "unpack", "s.bin.ekv", "-o", "t", "--json"}, folder)) == none);
    const json lossy =
        json_of({"kv", "pack", "s.bin", "-o", "l.ekv", "--model", "m.gguf", "--ratio", "4", "--threads", "1", "--json"},
                folder);
    CHECK(faults_of(lossy) == none);
    CHECK(lossy["ratio"] >= 4);
    CHECK(lossy["kl_divergence"] > 0);
    const json info = json_of({"kv", "info", "l.ekv", "--check", "--json"}, folder);
    CHECK(faults_of(info, {"damaged"}) == none);
    CHECK(info["model_sha256"].is_string());
}

TEST_CASE("models and models rm print what docs/json.md says") {
    const EmptyHome home;
    put_model(home / "cache/models/hf/Org/Tiny/m.gguf");
    put_text(home / "cache/models/hf/Org/Broken/m.gguf", "no model");
    CHECK(faults_of(json_of({"models", "--json"}, home.folder.path())) == none);
    CHECK(faults_of(json_of({"models", "rm", "hf:Org/Tiny", "--json"}, home.folder.path())) == none);
}

TEST_CASE("setup, use, undo and modelfile print what docs/json.md says") {
    const EmptyHome home;
    const TemporaryVariable config("XDG_CONFIG_HOME", ""), state("XDG_STATE_HOME", "");
    write_source(home.folder);
    CHECK(faults_of(json_of({"setup", "m.gguf", "--json"}, home.folder.path())) == none);
    CHECK(faults_of(json_of({"use", "m.gguf", "--ctx", "128", "--dry-run", "--json"}, home.folder.path())) == none);
    CHECK(faults_of(json_of({"undo", "--json"}, home.folder.path())) == none);
    CHECK(faults_of(json_of({"modelfile", "m.gguf", "--json"}, home.folder.path())) == none);
}

TEST_CASE("talk --devices and setup --voice print what docs/json.md says") {
    const EmptyHome home;
    CHECK(faults_of(json_of({"talk", "--devices", "--json"}, home.folder.path()), {"inputs", "outputs"}) == none);
    CHECK(faults_of(json_of({"setup", "--voice", "--dry-run", "--json"}, home.folder.path())) == none);
}

TEST_CASE("inspect, calibrate, compress, verify, optimize and chat print what docs/json.md says") {
    const TemporaryFolder folder;
    write_source(folder);
    const auto faults = [&](std::vector<std::string> arguments, const std::set<std::string>& may_be_absent) {
        arguments.push_back("--json");
        return faults_of(json_of(arguments, folder.path()), may_be_absent);
    };
    const std::string text = ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt";
    CHECK(faults({"inspect", "m.gguf"}, {"provenance"}) == none);
    CHECK(faults({"calibrate", "m.gguf", "-o", "c.gguf", "--ctx", "256", "--calibration", text}, {}) == none);
    CHECK(faults({"compress", "m.gguf", "--bpw", "6", "-o", "a.gguf", "--effort", "3", "--ctx", "256", "--calibration",
                  text},
                 {"paired", "retrieval[", "ways["}) == none);
    CHECK(faults({"inspect", "a.gguf"}, {}) == none);
    CHECK(faults({"optimize", "m.gguf", "--ratio", "60%", "-o", "b.gguf", "--effort", "3", "--ctx", "256",
                  "--calibration", text, "--chunks", "8"},
                 {"provenance", "paired", "compress.evidence", "compress.ways["}) == none);
    CHECK(faults({"verify", "m.gguf", "a.gguf", "b.gguf", "--chunks", "4"}, {}) == none);
    CHECK(faults({"verify", "m.gguf", "a.gguf", "b.gguf", "--chunks", "4", "--quick"}, {"retrieval["}) == none);
    CHECK(faults({"dashboard", "m.gguf", "--ctx", "512", "--kv", "f16", "-o", "d.html"},
                 {"provenance", "scores", "runs", "metadata", "refused"}) == none);
    CHECK(faults({"chat", "m.gguf", "-p", "Hello", "-n", "3"}, {}) == none);
    CHECK(faults({"prune", "m.gguf", "--remove", "10%", "-o", "p.gguf", "--ctx", "256", "--calibration", text},
                 {"experts_gone"}) == none);
}
