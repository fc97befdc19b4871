// One model over this machine and two workers, with the real ggml-rpc-server that `make server` puts beside the
// program.

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "runtime/workers.h"
#include "serve/guarded_child.h"
#include "serve/port.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/terminal.h"
#include "support/tiny_model.h"

using namespace ech0;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A worker on a port of its own.
struct RpcServer {
    TemporaryFolder folder;
    int64_t port = any_free_port("127.0.0.1");
    std::unique_ptr<GuardedChild> child = std::make_unique<GuardedChild>(
        GuardedChild::Command{std::filesystem::path(run_ech0_path()).parent_path() / "engine" / "ggml-rpc-server",
                              {"-H", "127.0.0.1", "-p", std::to_string(port), "-t", "1"},
                              {}},
        folder / "log");

    RpcServer() {
        for (int i = 0; i < 500 && port_is_free("127.0.0.1", port); i++) run({"sleep", "0.02"});
    }
    std::string endpoint() const { return "127.0.0.1:" + std::to_string(port); }
};

/// What answers as workers of other versions do, in the words of ggml-rpc.cpp: HELLO is byte 14, a size, that many
/// bytes; the answer is a size and the version.
class OtherVersion {
public:
    /// @param answer  to HELLO; "" hangs up, as versions do that expect another size
    explicit OtherVersion(std::string answer) : answer_(std::move(answer)) {
        socket_ = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(listen(socket_, 8) == 0);
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
        endpoint_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        thread_ = std::thread([this] { answer_all(); });
    }
    ~OtherVersion() {
        shutdown(socket_, SHUT_RDWR);
        thread_.join();
        close(socket_);
    }
    OtherVersion(const OtherVersion&) = delete;
    OtherVersion& operator=(const OtherVersion&) = delete;
    const std::string& endpoint() const { return endpoint_; }

private:
    void answer_all() const {
        for (int connection = 0; (connection = accept(socket_, nullptr, nullptr)) >= 0; close(connection)) {
            std::array<char, 64> heard{};
            constexpr size_t whole = 1 + 8 + 24;
            size_t n = 0;
            for (ssize_t more = 1; n < whole && more > 0; n += static_cast<size_t>(std::max<ssize_t>(more, 0)))
                more = recv(connection, heard.data(), heard.size(), 0);
            if (n >= whole) send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
        }
    }

    std::string answer_, endpoint_;
    int socket_ = -1;
    std::thread thread_;
};

Finished chat(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"chat",   "demo", "-p",        "What is the capital of France?",
                                      "--temp", "0",    "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run_ech0(words);
}

}  // namespace

TEST_CASE("a model that one process may not hold is spread over two workers and says the same") {
    const RpcServer a, b;
    const Finished alone = chat({});
    const Finished spread = chat({"--rpc", a.endpoint() + "," + b.endpoint(), "--split", "10,10,11"});
    CHECK(spread.status == 0);
    CHECK(spread.out == alone.out);
    CHECK(has(spread.err, a.endpoint() + "           10 layers, "));
    const Finished planned = chat({"--rpc", a.endpoint() + "," + b.endpoint(), "--memory", "150MiB"});
    CHECK(planned.out == alone.out);
    CHECK(has(planned.err, "of 150.0 MiB"));
    CHECK(has(planned.err, a.endpoint()));
}

TEST_CASE("bench measures a model alone and over workers, and says which one is lost") {
    const TemporaryFolder folder;
    write_tiny_model({.n_layer = 4}, folder / "m.gguf");
    const RpcServer a, b;
    const auto bench = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words = {"bench",      (folder / "m.gguf").string(),
                                          "--ctx",      "128",
                                          "--prompt",   "32",
                                          "--generate", "8",
                                          "--repeat",   "1",
                                          "--threads",  "1",
                                          "--json"};
        words.insert(words.end(), more.begin(), more.end());
        RunOptions options;
        options.environment = {{"ECH0_CACHE", (folder / "cache").string()}};
        return run_ech0(words, options);
    };
    const std::string both = a.endpoint() + "," + b.endpoint();
    const Finished ran = bench({"--rpc", both, "--split", "1,2,2"});
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const nlohmann::json row = nlohmann::json::parse(ran.out)["models"][0], spread = row["over_workers"];
    CHECK(row["tokens_per_s"]["measured"] > 0);
    CHECK(spread["tokens_per_s"] > 0);
    CHECK(spread["prompt_tokens_per_s"] > 0);
    CHECK(spread["memory_bytes"] > 1000000);
    REQUIRE(spread["split"].size() == 3);
    CHECK(spread["split"][0]["name"] == "this machine");
    CHECK(spread["split"][2]["name"] == b.endpoint());
    CHECK(spread["split"][2]["n_layer"] == 2);
    const Finished idle = bench({"--rpc", both});
    CHECK(has(idle.err, "it fits here alone; the workers stay idle"));
    CHECK(nlohmann::json::parse(idle.out)["models"][0]["over_workers"].is_null());

    const std::string nobody = "127.0.0.1:" + std::to_string(any_free_port("127.0.0.1"));
    for (const auto& [more, why] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--rpc", nobody, "--split", "1,4"}, "the worker " + nobody + " does not answer"},
             {{"--split", "1,4"}, "--split needs the workers"},
             {{"--memory", "1GiB"}, "--memory needs the workers"}}) {
        const Finished refused = bench(more);
        CHECK(refused.status == 2);
        CHECK(refused.out == "");
        CHECK(count_lines(refused.err) == 1);
        CHECK(has(refused.err, why));
    }
    const Finished lost = run_ech0({"measure-alone", (folder / "m.gguf").string(), "--prompt", "8", "--generate", "1",
                                    "--ctx", "64", "--remote", nobody + "/0/2"});
    CHECK(lost.status == 2);
    CHECK(has(lost.err, "the worker " + nobody + " does not answer"));
}

TEST_CASE("a worker that does not answer, or is none, is one line") {
    const RpcServer worker;
    const auto refused = [](const std::vector<std::string>& more) {
        const Finished ran = chat(more);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(count_lines(ran.err) == 1);
        return ran.err;
    };
    const std::string nobody = "127.0.0.1:" + std::to_string(any_free_port("127.0.0.1"));
    CHECK(has(refused({"--rpc", nobody}), "the worker " + nobody + " does not answer (Connection refused)"));
    CHECK(has(refused({"--rpc", "nonsense"}), "wanted HOST:PORT"));
    CHECK(has(refused({"--split", "1,2"}), "--split needs the workers"));
    CHECK(has(refused({"--rpc", worker.endpoint() + "," + worker.endpoint()}), "is there twice"));
}

TEST_CASE("a worker of another version is one clear line, and not a crash") {
    const std::string size = {28, 0, 0, 0, 0, 0, 0, 0}, version = {4, 2, 1};
    const OtherVersion older(size + version + std::string(25, '\0')), oldest("");
    for (const std::vector<std::string>& command : {std::vector<std::string>{"chat", "demo", "-p", "Hello"},
                                                    {"fit", "demo"},
                                                    {"bench", "demo", "--split", "10,21"},
                                                    {"serve", "demo", "--print-command"}}) {
        const auto said = [&](const OtherVersion& worker) {
            std::vector<std::string> words = command;
            words.insert(words.end(), {"--rpc", worker.endpoint()});
            const Finished ran = run_ech0(words);
            CHECK(ran.status == 2);
            CHECK(ran.out == "");
            CHECK(count_lines(ran.err) <= 2);  // an abort of the engine's begins with an empty one
            CHECK(has(ran.err, worker.endpoint()));
            return ran.err;
        };
        CHECK(has(said(older), "can't be used: RPC server version mismatch: 4.2.1; it must be of the same version"));
        CHECK(has(said(oldest), "broke the connection, or is none of this engine's version"));
    }
}

TEST_CASE("of several workers the one that is gone is named") {
    RpcServer here, gone;
    const std::vector<std::string> both = {here.endpoint(), gone.endpoint()};
    CHECK(gone_worker(both).empty());
    gone.child.reset();
    CHECK(has(gone_worker(both), "the worker " + gone.endpoint() + " is gone (Connection refused)"));
    CHECK(gone_worker({}).empty());
}

TEST_CASE("a worker that dies in the middle of an answer is named, in one line, with exit 2") {
    RpcServer worker;
    Terminal terminal({run_ech0_path(), "chat", "demo", "--raw", "-p", "Once upon a time", "--temp", "0", "--threads",
                       "1", "--rpc", worker.endpoint(), "--split", "10,21"});
    terminal.wait_for("layers, ");
    terminal.wait_for(" the ");  // it is answering
    kill(worker.child->pid(), SIGKILL);
    terminal.wait_for("ech0: the worker " + worker.endpoint() + " is gone (Connection refused)");
    CHECK(terminal.wait_for_end() == 2);
}
