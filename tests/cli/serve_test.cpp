// serve, with the real llama-server that `make server` puts beside the program.

#include <doctest/doctest.h>
#define CPPHTTPLIB_OPENSSL_SUPPORT  // as the library was built: its types depend on it
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "ech0/session.h"
#include "kv/snapshot.h"
#include "serve/port.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/terminal.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bool is_gone(pid_t pid) {
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return kill(pid, 0) != 0;
}

/// A server of a tiny model that is ready.
struct Served {
    TemporaryFolder folder;
    TemporaryVariable state{"ECH0_STATE", (folder / "state").string()},
        config{"ECH0_CONFIG", (folder / "config").string()};
    Terminal terminal;
    json about;

    explicit Served(const std::vector<std::string>& more = {}) : terminal(command(more)) {
        const std::string seen = terminal.wait_for("\n}");
        about = json::parse(seen.substr(seen.find('{')));
    }
    std::vector<std::string> command(const std::vector<std::string>& more) const {
        write_tiny_model({}, folder / "m.gguf");
        std::vector<std::string> words = {
            run_ech0_path(), "serve", (folder / "m.gguf").string(), "--port", "0", "--json", "--ctx", "256",
            "--threads",     "1"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    httplib::Client client() const {
        httplib::Client client(about["url"].get<std::string>());
        client.set_connection_timeout(60);  // the machine may be busy with other tests
        client.set_read_timeout(60);
        return client;
    }
    pid_t server() const { return about["server_pid"].get<pid_t>(); }
};

}  // namespace

TEST_CASE("serve answers as OpenAI's interface does, tells what runs, and ends in order with its child") {
    Served served;
    httplib::Client client = served.client();
    const httplib::Result models = client.Get("/v1/models");
    REQUIRE(models);
    CHECK(json::parse(models->body)["data"][0]["id"] == "m");
    const httplib::Result answer =
        client.Post("/v1/completions", R"({"prompt": "Hello", "max_tokens": 3, "temperature": 0})", "application/json");
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(json::parse(answer->body)["usage"]["completion_tokens"] == 3);
    const httplib::Result report = client.Get("/ech0/report");
    REQUIRE(report);
    CHECK(json::parse(report->body)["model"]["name"] == "m");
    const httplib::Result page = client.Get("/ech0/dashboard/");
    REQUIRE(page);
    CHECK(page->status == 200);
    CHECK(page->get_header_value("Content-Type").starts_with("text/html"));
    const std::string begin = "id=\"ech0-data\">";
    const size_t at = page->body.find(begin) + begin.size();
    const json data = json::parse(page->body.substr(at, page->body.find("</script>", at) - at));
    CHECK(data["schema"] == "ech0.dashboard/1");
    CHECK(data["conditions"]["n_ctx"] == 256);
    CHECK(data["models"][0]["asked"].get<std::string>().ends_with("m.gguf"));
    CHECK(data["fit"]["recommendation"].is_object());
    served.terminal.kill(SIGTERM);
    CHECK(served.terminal.wait_for_end() == 0);
    CHECK(is_gone(served.server()));
}

TEST_CASE("a page of another origin may not read what the server says, one of this machine may") {
    Served served;
    httplib::Client client = served.client();
    const auto allowed = [&](const char* origin) {
        const httplib::Result answer = client.Get("/v1/models", {{"Origin", origin}});
        return answer ? answer->get_header_value("Access-Control-Allow-Origin") : "no answer";
    };
    CHECK(allowed("https://example.org") == "");
    CHECK(allowed("https://localhost.example.org") == "");
    CHECK(allowed("http://localhost:3000") == "http://localhost:3000");
}

TEST_CASE("a server that is killed is started again") {
    Served served;
    kill(served.server(), SIGKILL);
    served.terminal.wait_for("the server was ended by signal 9");
    served.terminal.wait_for("the server is ready again");
    const httplib::Result health = served.client().Get("/health");
    REQUIRE(health);
    CHECK(health->status == 200);
}

TEST_CASE("a server does not outlive an ech0 that is killed") {
    Served served;
    served.terminal.kill(SIGKILL);
    served.terminal.wait_for_end();
    CHECK(is_gone(served.server()));
}

TEST_CASE("a model that is removed under a server is one clear line when it is needed again") {
    Served served;
    fs::remove(served.folder / "m.gguf");
    kill(served.server(), SIGKILL);
    served.terminal.wait_for("m.gguf is gone: put it back, or serve another model");
    CHECK(served.terminal.wait_for_end() == 2);
}

TEST_CASE("with a key, a server answers those alone who have it, and its command line doesn't show it") {
    Served served({"--api-key", "very-secret"});
    CHECK(served.about["api_key"] == true);
    httplib::Client client = served.client();
    CHECK(client.Get("/ech0/report.json")->status == 401);
    CHECK(client.Get("/ech0/report.json", {{"Authorization", "Bearer very-secret"}})->status == 200);
    if (fs::exists("/proc/self/cmdline")) {
        const std::string command = run({"cat", "/proc/" + std::to_string(served.server()) + "/cmdline"}).out;
        CHECK(has(command, "llama-server"));
        CHECK_FALSE(has(command, "very-secret"));
    }
}

TEST_CASE("slots are saved into the folder of sessions, pack to .ekv with their tokens, and are restored from it") {
    const TemporaryFolder folder;
    const std::string sessions = (folder / "new").string();
    Served served({"--session-dir", sessions, "--parallel", "1"});
    httplib::Client client = served.client();
    const std::string prompt = "A document that is to be read once.";
    const auto ask = [&](const std::string& path, const json& body) {
        const httplib::Result answer = client.Post(path, body.dump(), "application/json");
        REQUIRE(answer);
        REQUIRE_MESSAGE(answer->status == 200, answer->body);
        return json::parse(answer->body);
    };
    ask("/v1/completions", {{"prompt", prompt}, {"max_tokens", 1}, {"temperature", 0}});
    const int n_saved = ask("/slots/0?action=save", {{"filename", "a.bin"}})["n_saved"];
    const std::string slot = (folder / "new" / "a.bin").string(), ekv = (folder / "new" / "a.ekv").string(),
                      model = (served.folder / "m.gguf").string();
    CHECK(fs::exists(slot));
    CHECK(run_ech0({"kv", "pack", slot, "--model", model, "-o", ekv}).status == 0);
    const Snapshot snapshot(ekv);
    CHECK(static_cast<int>(snapshot.tokens().size()) == n_saved);
    const Model read = read_model(model);
    CHECK_NOTHROW(snapshot.require_model(cache_kind(read, {})));
    std::vector<int32_t> tokens = Session(read, {.n_ctx = 256, .n_threads = 1}).tokenize(prompt, true, true);
    REQUIRE(snapshot.tokens().size() >= tokens.size());
    CHECK(std::equal(tokens.begin(), tokens.end(), snapshot.tokens().begin()));

    CHECK(run_ech0({"kv", "unpack", ekv, "-o", (folder / "new" / "b.bin").string()}).status == 0);
    ask("/slots/0?action=erase", json::object());
    CHECK(ask("/slots/0?action=restore", {{"filename", "b.bin"}})["n_restored"] == n_saved);
    const json usage =
        ask("/v1/completions", {{"prompt", prompt + " More."}, {"max_tokens", 1}, {"temperature", 0}})["usage"];
    CHECK(usage["prompt_tokens_details"]["cached_tokens"].get<int>() >= static_cast<int>(tokens.size()) - 1);
    const httplib::Result outside =
        client.Post("/slots/0?action=save", R"({"filename": "../a.bin"})", "application/json");
    REQUIRE(outside);
    CHECK(outside->status == 400);
}

TEST_CASE("what serve can't do is one line and exit 2") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    RunOptions options;
    options.folder = folder.path();
    options.environment = {{"ECH0_STATE", (folder / "state").string()},
                           {"ECH0_CONFIG", (folder / "config").string()},
                           {"ECH0_API_KEY", ""}};
    const auto refused = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words = {"serve", "m.gguf", "--ctx", "256"};
        words.insert(words.end(), more.begin(), more.end());
        const Finished ran = run_ech0(words, options);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(count_lines(ran.err) == 1);
        return ran.err;
    };
    CHECK(has(refused({"--host", "0.0.0.0"}), "other machines reach this address; give a key"));
    CHECK(has(refused({"--report", "none.json"}), "none.json"));
    CHECK(has(refused({"--port", "0", "--", "--no-such-flag"}), "invalid argument: --no-such-flag"));
    httplib::Server other;
    const int taken = other.bind_to_any_port("127.0.0.1");
    CHECK(has(refused({"--port", std::to_string(taken)}), "is in use: name another, or --port 0 for any"));
    options.environment["ECH0_STATE"] = (folder / "m.gguf" / "state").string();  // as a home that can't be written
    CHECK(has(refused({"--port", "0"}), "make the folder " + (folder / "m.gguf" / "state" / "serve").string()));
    options.environment["ECH0_LLAMA_SERVER"] = "/bin/none";
    CHECK(has(refused({}), "ECH0_LLAMA_SERVER=/bin/none: no such file"));
}

TEST_CASE("serve --print-command prints the plan's flags and runs nothing") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    RunOptions options;
    options.environment = {{"ECH0_STATE", (folder / "state").string()}, {"ECH0_CONFIG", (folder / "config").string()}};
    const Finished ran = run_ech0({"serve", (folder / "m.gguf").string(), "--ctx", "128", "--port", "0", "--host",
                                   "::1", "--api-key", "secret", "--print-command"},
                                  options);
    CHECK(ran.status == 0);
    CHECK(has(ran.out, "llama-server --model " + (folder / "m.gguf").string() + " "));
    CHECK(has(ran.out, " --ctx-size 128 --cache-type-k f16 --cache-type-v f16 "));
    CHECK_FALSE(has(ran.out, "secret"));
    CHECK_FALSE(fs::exists(folder / "state"));
}
