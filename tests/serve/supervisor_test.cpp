#include "serve/supervisor.h"

#include <doctest/doctest.h>
#define CPPHTTPLIB_OPENSSL_SUPPORT  // as the library was built: its types depend on it
#include <httplib.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "ech0/error.h"
#include "serve/port.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

struct Ready {};

/// A shell that does what it is told instead of a server; the test answers /health for it, with 200 once there is a
/// file "up".
struct Supervised {
    TemporaryFolder folder;
    httplib::Server http;
    Watched watched;
    std::vector<std::string> troubles;
    std::thread answering;

    explicit Supervised(const std::string& script) {
        watched.command = {"/bin/sh", {"-c", script, "sh", folder.path().string()}, {}};
        watched.host = "127.0.0.1";
        watched.log = folder / "log";
        watched.first_pause_s = 0.01;
        watched.on_ready = [](pid_t) { throw Ready(); };
        watched.on_trouble = [this](const std::string& what) { troubles.push_back(what); };
        http.Get("/health", [this](const httplib::Request&, httplib::Response& answer) {
            answer.status = fs::exists(folder / "up") ? 200 : 503;
        });
        watched.port = http.bind_to_any_port(watched.host);
        answering = std::thread([this] { http.listen_after_bind(); });
        while (!http.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ~Supervised() {
        http.stop();
        answering.join();
    }
    Supervised(const Supervised&) = delete;
    Supervised& operator=(const Supervised&) = delete;
};

}  // namespace

TEST_CASE("a server that is killed before it was ready is started again") {
    Supervised supervised("cd \"$1\"; if [ -e second ]; then touch up; exec sleep 60; fi; touch second; kill -9 $$");
    CHECK_THROWS_AS(supervise(supervised.watched), Ready);
    REQUIRE(supervised.troubles.size() == 1);
    CHECK(supervised.troubles[0].find("was ended by signal 9; it is started again") != std::string::npos);
}

TEST_CASE("a server that is killed five times before it was ever ready is given up") {
    Supervised supervised("kill -9 $$");
    CHECK_THROWS_WITH_AS(supervise(supervised.watched), doctest::Contains("the server was ended by signal 9"),
                         EngineError);
    CHECK(supervised.troubles.size() == 4);
}

TEST_CASE("a server that gives up or crashes before it was ever ready is not tried again") {
    for (const char* script : {"echo 'error: no such flag'; exit 3", "kill -SEGV $$"}) {
        Supervised supervised(script);
        CHECK_THROWS_AS(supervise(supervised.watched), EngineError);
        CHECK(supervised.troubles.empty());
    }
    Supervised supervised("echo 'error: no such flag'; exit 3");
    CHECK_THROWS_WITH_AS(supervise(supervised.watched),
                         doctest::Contains("the server ended with 3 (error: no such flag)"), EngineError);
}
