// Against a real HTTP server on this machine that behaves as a package index does, or misbehaves in one way.

#include "store/package_index.h"

#include <thread>

#include <doctest/doctest.h>
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>

#include "base/file.h"
#include "base/sha256.h"
#include "store/wheel.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class IndexServer {
public:
    IndexServer() {
        server.Get("/simple/some-package/", [this](const httplib::Request&, httplib::Response& response) {
            response.set_content(page, "text/html");
        });
        server.Get("/files/a.whl", [this](const httplib::Request&, httplib::Response& response) {
            n_requests++;
            if (n_requests <= n_failures)
                response.status = 503;
            else
                response.set_content(content, "application/octet-stream");
        });
        server.Get("/there/a.whl",
                   [](const httplib::Request&, httplib::Response& response) { response.set_redirect("/files/a.whl"); });
        port_ = server.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server.listen_after_bind(); });
        while (!server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ~IndexServer() {
        server.stop();
        thread_.join();
    }

    Url url() const { return parse_url("http://127.0.0.1:" + std::to_string(port_) + "/simple"); }
    PackageFile file() const {
        return {"some-package", "a.whl", sha256(content), static_cast<int64_t>(content.size())};
    }

    httplib::Server server;
    std::string content = "the bytes of a wheel";
    std::string page = R"(<html><a href="../../files/b.whl#sha256=1">b.whl</a>
        <a href="../../files/a.whl#sha256=2" data-requires-python="&gt;=3.7">a.whl</a></html>)";
    int n_failures = 0, n_requests = 0;

private:
    int port_ = 0;
    std::thread thread_;
};

std::string complaint(const IndexServer& index, const PackageFile& file, const fs::path& target) {
    try {
        fetch_package_file(index.url(), file, target);
    } catch (const Error& error) {
        return error.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("a package's file is found in its index and fetched, also where it lies elsewhere") {
    const TemporaryFolder folder;
    IndexServer index;
    fetch_package_file(index.url(), index.file(), folder / "a.whl");
    CHECK(read_file(folder / "a.whl") == index.content);
    index.page = R"(<a href="/there/a.whl">a.whl</a>)";
    fetch_package_file(index.url(), index.file(), folder / "again.whl");
    CHECK(read_file(folder / "again.whl") == index.content);
}

TEST_CASE("a server that fails for a moment is asked again") {
    const TemporaryFolder folder;
    IndexServer index;
    index.n_failures = 1;
    fetch_package_file(index.url(), index.file(), folder / "a.whl");
    CHECK(index.n_requests == 2);
}

TEST_CASE("other bytes, more of them, or no such file leave nothing behind") {
    const TemporaryFolder folder;
    IndexServer index;
    PackageFile wanted = index.file();
    wanted.sha256 = std::string(64, 'a');
    CHECK(has(complaint(index, wanted, folder / "a.whl"), "what came has SHA-256"));
    wanted = index.file();
    wanted.size_bytes--;
    CHECK(has(complaint(index, wanted, folder / "a.whl"), "more than the 19 bytes it should have"));
    wanted.file = "c.whl";
    CHECK(has(complaint(index, wanted, folder / "a.whl"), "has no file c.whl"));
    wanted.package = "no-package";
    CHECK(
        has(complaint(index, wanted, folder / "a.whl"), "answers 404, wanted 200; PIP_INDEX_URL names another index"));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("the index is pip's") {
    {
        const TemporaryVariable named("PIP_INDEX_URL", "http://127.0.0.1:3141/root/pypi/+simple/");
        CHECK(package_index().text() == "http://127.0.0.1:3141/root/pypi/+simple/");
    }
    const TemporaryVariable empty("PIP_INDEX_URL", "");
    CHECK(package_index().text() == "https://pypi.org/simple");
}

TEST_CASE("addresses in an index's page may be whole, absolute or climb") {
    const Url page = parse_url("https://index.org/simple/p/");
    const auto address = [&](const std::string& href) {
        return find_in_page("<a href=\"" + href + "\">f.whl</a>", {"p", "f.whl", "", 0}, page).text();
    };
    CHECK(address("https://files.org/x/f.whl#sha256=1") == "https://files.org/x/f.whl");
    CHECK(address("/x/f.whl") == "https://index.org/x/f.whl");
    CHECK(address("f.whl") == "https://index.org/simple/p/f.whl");
    CHECK(address("../../x/f.whl?a=1&amp;b=2") == "https://index.org/x/f.whl?a=1&b=2");
    CHECK(address("../../../../x/f.whl") == "https://index.org/x/f.whl");
    CHECK_THROWS_AS(find_in_page("<a href=\"x\">g.whl</a> >f.whl</a>", {"p", "f.whl", "", 0}, page), FormatError);
}

TEST_CASE("members of a wheel are unpacked, one or a folder of them, and a damaged one is refused") {
    const TemporaryFolder folder;
    const auto python = [&](const std::string& code) {
        RunOptions options;
        options.folder = folder.path();
        REQUIRE(
            run({"python3", "-c", "import zipfile\nz = zipfile.ZipFile('a.whl', 'w', zipfile.ZIP_DEFLATED)\n" + code},
                options)
                .status == 0);
    };
    python(
        "z.writestr('p/one.bin', ' '.join(map(str, range(9999))))\nz.writestr('p/lib/a.so', "
        "'A')\nz.writestr('p/lib/sub/b.so', 'B')");
    const auto files = unpack_wheel(folder / "a.whl", {{"p/one.bin", folder / "1"}, {"p/lib/", folder / "lib"}});
    CHECK(files.size() == 3);
    std::string numbers = "0";
    for (int i = 1; i < 9999; i++) numbers += " " + std::to_string(i);
    CHECK(read_file(folder / "1") == numbers);
    CHECK(read_file(folder / "lib" / fs::path("sub/b.so")) == "B");
    CHECK_THROWS_AS(unpack_wheel(folder / "a.whl", {{"p/two.bin", folder / "2"}}), FormatError);
    // Its first member's data lie behind a header of 30 bytes and the name. (The wheels that we fetch have a SHA-256.)
    const std::string bytes = read_file(folder / "a.whl");
    for (size_t at = 39; at < 100; at++) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ 0x55);
        write_file(folder / "b.whl", changed);
        CHECK_THROWS_AS(unpack_wheel(folder / "b.whl", {{"p/one.bin", folder / "3"}}), FormatError);
        CHECK(!fs::exists(folder / "3"));
    }
    python("z.writestr('p/lib/../../evil', 'E')");
    CHECK_THROWS_AS(unpack_wheel(folder / "a.whl", {{"p/lib/", folder / "lib"}}), FormatError);
    write_file(folder / "c.whl", "no archive");
    CHECK_THROWS_AS(unpack_wheel(folder / "c.whl", {{"p/one.bin", folder / "4"}}), FormatError);
}
