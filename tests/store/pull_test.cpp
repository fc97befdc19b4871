// Against a real HTTP server on this machine that behaves as a hub does, or misbehaves in one way.

#include "store/pull.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/sha256.h"
#include "model/remote_model.h"
#include "store/stores.h"
#include "support/run.h"
#include "support/store_tree.h"

using namespace ech0;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A hub with one repository, Org/Tiny.
class HubServer {
public:
    HubServer() {
        server.Get("/api/models/Org/Tiny/tree/main",
                   [this](const httplib::Request& request, httplib::Response& response) {
                       note(request);
                       if (on_list)
                           on_list(request, response);
                       else
                           response.set_content(list().dump(), "application/json");
                   });
        server.Get(R"(/Org/Tiny/resolve/main/(.+))",
                   [this](const httplib::Request& request, httplib::Response& response) {
                       note(request);
                       n_requests++;
                       if (on_file)
                           on_file(request, response);
                       else
                           serve(request, response);
                   });
        port_ = server.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server.listen_after_bind(); });
        server_is_up();
    }
    ~HubServer() {
        server.stop();
        thread_.join();
    }

    // httplib::Server answers ranges by itself from a whole body.
    void serve(const httplib::Request& request, httplib::Response& response) {
        const std::string path = request.matches[1];
        if (!files.contains(path)) {
            response.status = 404;
            return;
        }
        response.set_content(files[path], "application/octet-stream");
    }

    json list() const {
        json entries = json::array({{{"type", "directory"}, {"path", "sub"}, {"oid", "1"}}});
        for (const auto& [path, content] : files)
            entries.push_back({{"type", "file"},
                               {"path", path},
                               {"size", content.size()},
                               {"oid", "1"},
                               {"lfs", {{"oid", sha256(content)}, {"size", content.size()}, {"pointerSize", 134}}}});
        return entries;
    }

    std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

    Hub hub(const std::string& token = "") const {
        Hub hub;
        hub.endpoint = parse_url(address());
        hub.token = token;
        hub.back_off_s = 0.01;
        hub.most_failures = 3;
        return hub;
    }

    httplib::Server server;
    std::map<std::string, std::string> files;
    std::function<void(const httplib::Request&, httplib::Response&)> on_list, on_file;
    std::atomic<int> n_requests = 0;
    std::vector<std::string> tokens, ranges;

private:
    void note(const httplib::Request& request) {
        const std::lock_guard lock(mutex_);
        tokens.push_back(request.get_header_value("Authorization"));
        ranges.push_back(request.get_header_value("Range"));
    }
    void server_is_up() const {
        while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    int port_ = 0;
    std::thread thread_;
    std::mutex mutex_;
};

std::string tiny_bytes(const TinyModel& model = {}) {
    const TemporaryFolder folder;
    write_tiny_model(model, folder / "m.gguf");
    return read_file(folder / "m.gguf");
}

std::string complaint_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find('\n') == std::string::npos);
        return error.what();
    }
    return "nothing";
}

std::vector<std::string> files_below(const fs::path& folder) {
    std::vector<std::string> names;
    if (!fs::exists(folder)) return names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
    return names;
}

// A part as a pull that broke off leaves it.
void put_part(const fs::path& store, const std::string& file, const std::string& content, size_t size) {
    put_text(store / ("." + file + "." + sha256(content).substr(0, 12) + ".ech0-part"), content.substr(0, size));
}

struct Fixture {
    EmptyHome home;
    HubServer server;
    std::string content = tiny_bytes();
    fs::path store = home / "ech0-cache/models/hf/Org/Tiny";

    Fixture() { server.files["m-Q8_0.gguf"] = content; }
    std::string complaint() {
        return complaint_of([&] { pull(server.hub(), find_on_hub(server.hub(), "hf:Org/Tiny")); });
    }
};

}  // namespace

TEST_CASE("a pulled model is whole, has its name, and can be read by it") {
    Fixture f;
    f.server.files["sub/m-Q4_0.gguf"] = tiny_bytes({.type = GGML_TYPE_Q4_0});
    f.server.files["mmproj-m.gguf"] = "an eye";
    f.server.files["readme.md"] = "text";
    const Hub hub = f.server.hub();
    CHECK(has(complaint_of([&] { find_on_hub(hub, "hf:Org/Tiny"); }),
              "'hf:Org/Tiny' is 2 models on the hub: name one of m-Q8_0.gguf ("));
    CHECK(has(complaint_of([&] { find_on_hub(hub, "hf:Org/Tiny:Q2_K"); }),
              "no 'hf:Org/Tiny:Q2_K' on the hub: Org/Tiny has m-Q8_0.gguf ("));
    const HubModel model = find_on_hub(hub, "hf:Org/Tiny:q4_0");
    CHECK(model.name == "hf:Org/Tiny:sub/m-Q4_0.gguf");
    const Pulled pulled = pull(hub, model);
    CHECK(read_file(pulled.files.at(0)) == f.server.files["sub/m-Q4_0.gguf"]);
    CHECK(read_model("hf:Org/Tiny").files == pulled.files);
    CHECK(find_stored_model(model.name).store == "ech0");
    f.server.n_requests = 0;
    CHECK(pull(hub, model).present_bytes == model.size_bytes());
    CHECK(f.server.n_requests == 0);
    CHECK(files_below(f.store) == std::vector<std::string>{"m-Q4_0.gguf"});
}

TEST_CASE("all parts of a split model are pulled, and a repository that lacks one is refused") {
    Fixture f;
    f.server.files.clear();
    const TemporaryFolder folder;
    for (const fs::path& part : write_tiny_model_parts({}, folder.path(), "big", 2))
        f.server.files[part.filename().string()] = read_file(part);
    const Pulled pulled = pull(f.server.hub(), find_on_hub(f.server.hub(), "hf:Org/Tiny"));
    CHECK(pulled.files.size() == 2);
    CHECK(read_model("hf:Org/Tiny").n_layer == 2);
    f.server.files.erase("big-00002-of-00002.gguf");
    CHECK(has(f.complaint(), "the repository lacks big-00002-of-00002.gguf"));
}

TEST_CASE("a pull goes on where an earlier one stopped") {
    Fixture f;
    put_part(f.store, "m-Q8_0.gguf", f.content, 1000);
    const Pulled pulled = pull(f.server.hub(), find_on_hub(f.server.hub(), "hf:Org/Tiny"));
    CHECK(pulled.present_bytes == 1000);
    CHECK(f.server.ranges.back() == "bytes=1000-" + std::to_string(f.content.size() - 1));
    CHECK(read_file(f.store / "m-Q8_0.gguf") == f.content);
    CHECK(files_below(f.store).size() == 1);
}

TEST_CASE("a server that ignores the range makes the pull begin anew, and the result is right") {
    Fixture f;
    put_part(f.store, "m-Q8_0.gguf", f.content, 1000);
    f.server.on_file = [&](const httplib::Request& request, httplib::Response& response) {
        const_cast<httplib::Request&>(request).ranges.clear();
        response.set_content(f.content, "application/octet-stream");
        response.status = 200;
    };
    CHECK(f.complaint() == "nothing");
    CHECK(read_file(f.store / "m-Q8_0.gguf") == f.content);
}

TEST_CASE("a connection that breaks off is taken up again as long as something comes") {
    Fixture f;
    f.server.on_file = [&](const httplib::Request& request, httplib::Response& response) {
        const auto first = request.ranges.empty() ? 0 : static_cast<size_t>(request.ranges[0].first);
        const_cast<httplib::Request&>(request).ranges.clear();
        response.status = first == 0 ? 200 : 206;
        if (first > 0)
            response.set_header("Content-Range", "bytes " + std::to_string(first) + "-" +
                                                     std::to_string(f.content.size() - 1) + "/" +
                                                     std::to_string(f.content.size()));
        response.set_content_provider(f.content.size() - first, "application/octet-stream",
                                      [&f, first](size_t offset, size_t, httplib::DataSink& sink) {
                                          if (offset > 0) return false;  // after one piece, the line is cut
                                          const size_t piece = std::min<size_t>(10'000, f.content.size() - first);
                                          sink.write(f.content.data() + first, piece);
                                          return true;
                                      });
    };
    CHECK(f.complaint() == "nothing");
    CHECK(f.server.n_requests > 3);
    CHECK(read_file(f.store / "m-Q8_0.gguf") == f.content);
}

TEST_CASE("a server that breaks off for good leaves the part, and no file of the name") {
    Fixture f;
    f.server.on_file = [&](const httplib::Request&, httplib::Response& response) {
        response.set_content_provider(f.content.size(), "application/octet-stream",
                                      [&](size_t, size_t, httplib::DataSink&) { return false; });
    };
    const std::string said = f.complaint();
    CHECK(has(said, "the server broke off"));
    CHECK(has(said, "the same command goes on from there"));
    CHECK(f.server.n_requests == 3);
    CHECK_FALSE(fs::exists(f.store / "m-Q8_0.gguf"));
}

TEST_CASE("what is not what the hub lists gets no name") {
    Fixture f;
    std::string sent = f.content, wanted;
    SUBCASE("other bytes") {
        sent[500] ^= 1;
        wanted = "and the hub lists " + sha256(f.content) + ": removed; pull it again";
    }
    SUBCASE("too many bytes") {
        sent += "more";
        wanted = "the server sends more than the " + std::to_string(f.content.size()) + " bytes it lists";
    }
    SUBCASE("too few bytes") {
        sent.resize(sent.size() - 100);
        wanted = "wanted from " + std::to_string(sent.size());  // the second request finds out by Content-Range, or 416
    }
    f.server.on_file = [&](const httplib::Request&, httplib::Response& response) {
        response.set_content(sent, "application/octet-stream");
    };
    const std::string said = f.complaint();
    CAPTURE(said);
    CHECK((has(said, wanted) || has(said, "(416)")));
    CHECK_FALSE(fs::exists(f.store / "m-Q8_0.gguf"));
}

TEST_CASE("each refusal of the hub is one line that says what to do") {
    Fixture f;
    const auto answer = [&](int status, const std::string& header = "", const std::string& value = "") {
        f.server.on_list = [=](const httplib::Request&, httplib::Response& response) {
            response.status = status;
            if (!header.empty()) response.set_header(header.c_str(), value.c_str());
        };
        return f.complaint();
    };
    CHECK(has(answer(404), "list of Org/Tiny: 127.0.0.1 has no such repository or file (404)"));
    CHECK(has(answer(401), "set HF_TOKEN"));
    CHECK(has(answer(403), "gated"));
    CHECK(has(answer(429, "Retry-After", "17"), "too many requests from here (429): try again in 17 s"));
    CHECK(has(answer(503), "127.0.0.1 fails (503)"));
    CHECK(has(answer(302, "Location", "/api/models/Org/Tiny/tree/main"), "redirects in circles"));
    CHECK(has(answer(302), "without saying where"));
    CHECK(has(answer(302, "Location", "ftp://x/y"), "is no address"));
    f.server.on_list = [](const httplib::Request&, httplib::Response& response) {
        response.set_content("<html>", "text/html");
    };
    CHECK(has(f.complaint(), "answers '<html>', wanted a JSON array"));
}

TEST_CASE("a list that is hostile or lacks what is needed is refused") {
    Fixture f;
    json list = f.server.list();
    f.server.on_list = [&](const httplib::Request&, httplib::Response& response) {
        response.set_content(list.dump(), "application/json");
    };
    SUBCASE("paths that leave the folder are none") {
        for (const char* path :
             {"../../m.gguf", "/etc/m.gguf", "a/../../m.gguf", ".hidden/m.gguf", "a//m.gguf", "a\\m.gguf"}) {
            CAPTURE(path);
            list[1]["path"] = path;
            CHECK(has(f.complaint(), "has no GGUF model"));
        }
    }
    SUBCASE("no hash") {
        list[1].erase("lfs");
        CHECK(has(f.complaint(), "lists no SHA-256"));
    }
    SUBCASE("a hash that is a path") {
        list[1]["lfs"]["oid"] = "../../../../x";
        CHECK(has(f.complaint(), "lists no SHA-256"));
    }
    SUBCASE("more than the disk holds") {
        list[1]["lfs"]["size"] = int64_t{1} << 60;
        CHECK(has(f.complaint(), "free, "));
        CHECK(has(f.complaint(), "set ECH0_CACHE to a larger disk"));
        CHECK(f.server.n_requests == 0);
    }
    CHECK(files_below(f.store).empty());
}

TEST_CASE("the token goes to the hub and to no other server") {
    Fixture f;
    HubServer elsewhere;
    elsewhere.files["m-Q8_0.gguf"] = f.content;
    f.server.on_file = [&](const httplib::Request&, httplib::Response& response) {
        response.set_redirect(elsewhere.address() + "/Org/Tiny/resolve/main/m-Q8_0.gguf");
    };
    const Hub hub = f.server.hub("hf_secret");
    pull(hub, find_on_hub(hub, "hf:Org/Tiny"));
    for (const std::string& token : f.server.tokens) CHECK(token == "Bearer hf_secret");
    REQUIRE(elsewhere.tokens.size() == 1);
    CHECK(elsewhere.tokens[0] == "");
    CHECK(read_file(f.store / "m-Q8_0.gguf") == f.content);
}

TEST_CASE("a hub that is not there is one line") {
    const EmptyHome home;
    Hub hub;
    hub.endpoint = parse_url("http://127.0.0.1:1");
    hub.most_failures = 2;
    hub.back_off_s = 0.01;
    CHECK(complaint_of([&] { find_on_hub(hub, "hf:Org/Tiny"); }) == "http://127.0.0.1:1: no connection");
    CHECK(has(complaint_of([&] { find_on_hub(hub, "hf:Org"); }), "wanted hf:ORG/REPO"));
    CHECK(has(complaint_of([&] { find_on_hub(hub, "hf:../..:x"); }), "wanted hf:ORG/REPO"));
}

TEST_CASE("the head of a model on the hub is its anatomy, and no weights to work with") {
    Fixture f;
    f.content = tiny_bytes({.n_layer = 8, .n_embd = 256, .n_ff = 1024});  // several times the first read
    REQUIRE(f.content.size() > 8 << 20);
    f.server.files["m-Q8_0.gguf"] = f.content;
    const RemoteModel remote = read_remote_model(f.server.hub(), "hf:Org/Tiny");
    put_text(f.home / "m.gguf", f.content);
    const Model whole = read_model((f.home / "m.gguf").string());
    CHECK(remote.model.n_params == whole.n_params);
    CHECK(remote.model.size_bytes == whole.size_bytes);
    CHECK(remote.model.tensors.size() == whole.tensors.size());
    CHECK(remote.read_bytes == 1 << 20);
    CHECK(read_remote_model(f.server.hub(), "hf:Org/Tiny").read_bytes == 0);
    const std::string head = remote.model.files[0].string();
    CHECK(has(complaint_of([&] { read_model(head); }), "only the head of a model on the hub"));
    CHECK(has(run_ech0({"chat", head, "-p", "x"}).err, "only the head of a model on the hub"));
}

TEST_CASE("a head that can't be read by ranges, or is none, is refused") {
    Fixture f;
    f.content = tiny_bytes({.n_layer = 8, .n_embd = 256, .n_ff = 1024});
    const auto complaint = [&] { return complaint_of([&] { read_remote_model(f.server.hub(), "hf:Org/Tiny"); }); };
    SUBCASE("a web page under a model's name") {
        f.server.files["m-Q8_0.gguf"] = "<html>" + std::string(3 << 20, ' ');
        CHECK(has(complaint(), "this is a web page"));
    }
    SUBCASE("a server without ranges") {
        f.server.files["m-Q8_0.gguf"] = f.content;
        f.server.on_file = [&](const httplib::Request& request, httplib::Response& response) {
            const_cast<httplib::Request&>(request).ranges.clear();
            response.set_content(f.content, "application/octet-stream");
            response.status = 200;
        };
        CHECK(has(complaint(), "the server sends no ranges"));
    }
    CHECK(files_below(f.home / "ech0-cache/models").empty());
}

TEST_CASE("models pull and inspect work through the real binary") {
    Fixture f;
    const RunOptions options{.environment = {{"HF_ENDPOINT", f.server.address()}, {"HF_TOKEN", "hf_secret"}}};
    const Finished far = run_ech0({"inspect", "hf:Org/Tiny"}, options);
    CHECK(far.status == 0);
    CHECK(has(far.out, "tiny llama"));
    CHECK(has(far.err, "over the network"));
    CHECK(has(run_ech0({"chat", "hf:Org/Tiny", "-p", "x"}, options).err, "'ech0 models pull' fetches it"));
    const Finished dry = run_ech0({"models", "pull", "hf:Org/Tiny", "--dry-run"}, options);
    CHECK(has(dry.out, "would fetch"));
    CHECK(files_below(f.store).empty());
    const Finished ran = run_ech0({"models", "pull", "hf:Org/Tiny", "--json"}, options);
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const json pulled = json::parse(ran.out);
    CHECK(pulled == json({{"schema", "ech0.models.pull/1"},
                          {"name", "hf:Org/Tiny:m-Q8_0.gguf"},
                          {"size_bytes", f.content.size()},
                          {"present_bytes", 0},
                          {"fetched_bytes", f.content.size()},
                          {"files", {(f.store / "m-Q8_0.gguf").string()}}}));
    CHECK(read_file(pulled["files"][0].get<std::string>()) == f.content);
    CHECK_FALSE(has(far.err + far.out + ran.err + ran.out, "hf_secret"));
    CHECK(has(run_ech0({"models", "pull", "hf:Org/Tiny"}, options).out, "is here already"));
    CHECK(run_ech0({"models", "rm", "hf:Org/Tiny"}, options).status == 0);
    CHECK(files_below(f.store).empty());
}

TEST_CASE("Ctrl-C during a pull keeps what has come") {
    Fixture f;
    f.server.on_file = [&](const httplib::Request&, httplib::Response& response) {
        response.set_content_provider(f.content.size(), "application/octet-stream",
                                      [&](size_t offset, size_t, httplib::DataSink& sink) {
                                          if (offset == 0) sink.write(f.content.data(), 20'000);
                                          std::this_thread::sleep_for(std::chrono::milliseconds(20));
                                          return sink.is_writable();
                                      });
    };
    // One signal, once something has come: timeout(1) sends two, to its child and to its group, and the second kills.
    const Finished ran = run({"sh", "-c",
                              "\"$0\" models pull hf:Org/Tiny & pid=$!; "
                              "until find \"$1\" -name '*.ech0-part' -size +0 | grep -q .; do sleep 0.05; done; "
                              "kill -INT $pid; wait $pid; echo $?",
                              run_ech0_path(), (f.home / "ech0-cache").string()},
                             {.environment = {{"HF_ENDPOINT", f.server.address()}}});
    CHECK(ran.out.ends_with("130\n"));
    CHECK(ran.err.ends_with("ech0: interrupted\n"));
    const std::vector<std::string> left = files_below(f.store);
    REQUIRE(left.size() == 1);
    CHECK(left[0].ends_with(".ech0-part"));
    f.server.on_file = nullptr;
    CHECK(f.complaint() == "nothing");
    CHECK(f.server.ranges.back().starts_with("bytes="));
    CHECK(read_file(f.store / "m-Q8_0.gguf") == f.content);
}
