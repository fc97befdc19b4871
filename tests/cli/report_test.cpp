#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "report/table.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/terminal.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

struct Place {
    TemporaryFolder folder;

    Finished run(const std::vector<std::string>& arguments) const {
        RunOptions options;
        options.folder = folder.path();
        options.environment["ECH0_CACHE"] = (folder / "cache").string();
        return run_ech0(arguments, options);
    }
    void keep(const std::string& name, const std::string& text) const { write_file(folder / name, text); }
};

void write_source(const Place& place) {
    TinyModel tiny;
    tiny.n_ctx_train = 2048;
    tiny.type = GGML_TYPE_F16;
    write_tiny_model(tiny, place.folder / "m.gguf");
}

}  // namespace

TEST_CASE("report says what the command said, from its JSON alone") {
    const Place place;
    write_source(place);
    const std::vector<std::vector<std::string>> commands = {
        {"inspect", "m.gguf"}, {"fit", "qwen2.5:0.5b", "--machine", "m4-24gb"}, {"doctor", "--machine", "m4-24gb"}};
    for (const std::vector<std::string>& command : commands) {
        CAPTURE(command.front());
        std::vector<std::string> with_json = command;
        with_json.emplace_back("--json");
        place.keep("run.json", place.run(with_json).out);
        const Finished shown = place.run({"report", "run.json"});
        CHECK(shown.status == 0);
        CHECK(shown.out == place.run(command).out);
        const Finished markdown = place.run({"report", "run.json", "--format", "markdown"});
        CHECK(markdown.out.starts_with("# "));
        const Finished page = place.run({"report", "run.json", "--format", "html"});
        CHECK(page.out.starts_with("<!doctype html>"));
        CHECK(page.out.find("ech0." + command.front() + "/1") != std::string::npos);
    }
}

TEST_CASE("report of what was measured: every part as it was said, a page to a file, and compared with itself") {
    const Place place;
    write_source(place);
    const std::string text = ECH0_SOURCE_FOLDER "/share/texts/calibration/chat.txt";
    const Finished made = place.run({"optimize", "m.gguf", "--ratio", "60%", "-o", "b.gguf", "--effort", "1", "--ctx",
                                     "256", "--calibration", text, "--chunks", "4", "--quick", "--json"});
    CAPTURE(made.err);
    REQUIRE(made.status == 0);
    place.keep("run.json", made.out);
    const json run = json::parse(made.out);
    CHECK(run["verify"]["candidates"][0]["kl_quantiles"].size() == 101);
    for (const char* part : {"inspect", "compress", "verify"})
        place.keep(std::string(part) + ".json", run[part].dump());
    for (const char* file : {"run.json", "inspect.json", "compress.json", "verify.json"}) {
        CAPTURE(file);
        const Finished shown = place.run({"report", file});
        CHECK(shown.status == 0);
        CHECK(shown.out.size() > 300);
        CHECK(place.run({"report", file, "--format", "markdown"}).out.find("| --- ") != std::string::npos);
    }
    CHECK(place.run({"report", "run.json", "--format", "html", "-o", "page.html"}).out == "wrote page.html\n");
    CHECK(read_file(place.folder / "page.html").find("kl_quantiles") != std::string::npos);
    const Finished same = place.run({"report", "run.json", "--compare", "verify.json"});
    CHECK(same.status == 0);
    CHECK(same.out.find("the same file") != std::string::npos);

    json other = run["verify"];
    other["text"]["sha256"] = "another";
    place.keep("other.json", other.dump());
    const Finished different = place.run({"report", "run.json", "--compare", "other.json"});
    CHECK(different.status == 1);
    CHECK(different.out.find("the texts differ") != std::string::npos);
    const Finished nothing = place.run({"report", "inspect.json", "--compare", "run.json"});
    CHECK(nothing.status == 2);
    CHECK(nothing.err.find("no figures of quality to compare") != std::string::npos);
}

TEST_CASE("ten malformed reports: each is refused in one line that names what is wrong") {
    const Place place;
    const std::string fit = place.run({"fit", "qwen2.5:0.5b", "--machine", "m4-24gb", "--json"}).out;
    const auto changed = [&](const char* pointer, const json& value) {
        json run = json::parse(fit);
        run[json::json_pointer(pointer)] = value;
        return run.dump();
    };
    json without = json::parse(fit);
    without.erase("machine");
    json few = json::parse(fit);
    few["options"] = json::array();
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", "no JSON"},
        {fit.substr(0, fit.size() / 2), "no JSON"},
        {std::string("\xff\xfe\x00{", 4), "no JSON"},
        {"[1, 2]", "wanted an object"},
        {"{\"name\": \"x\"}", "has no 'schema'"},
        {changed("/schema", "ech0.fit/99"), "its schema is 'ech0.fit/99'"},
        {without.dump(), "machine is missing"},
        {changed("/options/0/memory/kv_bytes", "much"), "options[0].memory.kv_bytes is string, wanted integer"},
        {changed("/options/0/grade", "guessed"), "no grade 'guessed'"},
        {few.dump(), "options is empty"}};
    REQUIRE(cases.size() == 10);
    for (const auto& [content, wanted] : cases) {
        CAPTURE(wanted);
        place.keep("bad.json", content);
        const Finished refused = place.run({"report", "bad.json"});
        CAPTURE(refused.err);
        CHECK(refused.status == 2);
        CHECK(refused.out.empty());
        CHECK(refused.err.find(wanted) != std::string::npos);
        CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
    }
    CHECK(place.run({"report", "none.json"}).status == 2);
    CHECK(place.run({"report"}).status == 2);
}

TEST_CASE("report prints formats as JSON Schema") {
    const Place place;
    const Finished names = place.run({"report", "--schema", "all"});
    CHECK(names.out.find("ech0.verify/1\n") != std::string::npos);
    CHECK(json::parse(place.run({"report", "--schema", "ech0.fit/1"}).out)["title"] == "ech0.fit/1");
    CHECK(place.run({"report", "--schema", "ech0.fit/9"}).status == 2);
}

TEST_CASE("the scatter has characters beyond ASCII only where the locale's encoding has them") {
    const Place place;
    RunOptions options;
    options.folder = place.folder.path();
    options.environment["ECH0_CACHE"] = (place.folder / "cache").string();
    options.environment["LC_ALL"] = "C";
    const auto is_ascii = [](const std::string& text) {
        return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
    };
    CHECK(is_ascii(run_ech0({"fit", "qwen2.5:0.5b", "--machine", "m4-24gb"}, options).out));
    options.environment["LC_ALL"] = "C.UTF-8";
    options.environment["TERM"] = "xterm";
    const std::string fine = run_ech0({"fit", "qwen2.5:0.5b", "--machine", "m4-24gb"}, options).out;
    CHECK(fine.find("└") != std::string::npos);
    CHECK(fine.find("\x1b[") == std::string::npos);  // a pipe gets no colour
}

TEST_CASE("at a terminal of 80 columns fit and its report keep to them: in UTF-8, in ASCII, without colour") {
    const Place place;
    const std::vector<std::string> fit = {"fit", "qwen2.5:0.5b", "qwen2.5:1.5b", "--machine", "m4-24gb"};
    std::vector<std::string> with_json = fit;
    with_json.emplace_back("--json");
    place.keep("run.json", place.run(with_json).out);
    const auto screen = [&](const std::vector<std::string>& environment, const std::vector<std::string>& words) {
        std::vector<std::string> command = {"env", "NO_COLOR=", "ECH0_CACHE=" + (place.folder / "cache").string()};
        command.insert(command.end(), environment.begin(), environment.end());
        command.push_back(run_ech0_path());
        command.insert(command.end(), words.begin(), words.end());
        Terminal terminal(command, 80);
        CHECK(terminal.wait_for_end() == 0);
        return terminal.screen();
    };
    const std::vector<std::string> report = {"report", (place.folder / "run.json").string()};
    for (const std::vector<std::string>& words : {fit, report}) {
        const std::string fine = screen({"LC_ALL=C.UTF-8", "TERM=xterm"}, words),
                          plain = screen({"LC_ALL=C", "TERM=xterm"}, words),
                          grey = screen({"LC_ALL=C.UTF-8", "TERM=xterm", "NO_COLOR=1"}, words);
        CHECK(fine.find("\x1b[1m->") != std::string::npos);  // the recommended one stands out
        CHECK(plain.find("\x1b[1m->") != std::string::npos);
        CHECK(grey.find('\x1b') == std::string::npos);
        CHECK(grey.find("└") != std::string::npos);
        CHECK(std::all_of(plain.begin(), plain.end(), [](char c) { return static_cast<signed char>(c) >= 0; }));
        std::istringstream lines(grey + plain);
        for (std::string line; std::getline(lines, line);) {
            for (const std::string code : {"\x1b[1m", "\x1b[2m", "\x1b[0m", "\r"})
                if (const size_t at = line.find(code); at != std::string::npos) line.erase(at, code.size());
            const bool whole = line.find("  ech0 ") == 0 || line.find("https://") != std::string::npos;
            CHECK_MESSAGE((whole || text_width(line) <= 80), line);
        }
    }
}
