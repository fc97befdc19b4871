#include "report/page.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"

using namespace ech0;

namespace {

const std::filesystem::path web = ECH0_SOURCE_FOLDER "/web";

/// Counted as web/scripts/seal.mjs does.
std::string hash_of_sources() {
    std::vector<std::string> names = {"index.html",       "package-lock.json", "package.json",
                                      "scripts/seal.mjs", "tsconfig.json",     "vite.config.ts"};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(web / "src"))
        if (entry.is_regular_file()) names.push_back(std::filesystem::relative(entry.path(), web).generic_string());
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& name : names) all += name + "\n" + read_file(web / name);
    return sha256(all);
}

std::string data_in(const std::string& page) {
    const std::string begin = "<script type=\"application/json\" id=\"ech0-data\">";
    const size_t at = page.find(begin) + begin.size();
    return page.substr(at, page.find("</script>", at) - at);
}

}  // namespace

TEST_CASE("whatever the data holds stays inside its element, and is read back as it was") {
    const Json data = {{"schema", "ech0.bench/1"},
                       {"name", "</script><script>alert(1)</script><!-- & \" ' \\ \xe2\x80\xa8"},
                       {"]]>", "<img src=x onerror=alert(1)>"}};
    const std::string page = page_html(data);
    CHECK(page.find("<script>alert") == std::string::npos);
    CHECK(page.find("<img") == std::string::npos);
    CHECK(Json::parse(data_in(page)) == data);
}

TEST_CASE("bytes that are no UTF-8 do not break the page") {
    CHECK(page_html({{"name", "a\xff\xfe"}}).find("a\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("the page allows its own script and style by hash, and nothing from anywhere else") {
    const std::string page = page_html(Json::object());
    CHECK(page.find("default-src 'none'; script-src 'sha256-") != std::string::npos);
    CHECK(page.find("unsafe-inline") == std::string::npos);
    CHECK(page.find("src=\"http") == std::string::npos);
    CHECK(page.size() < 1'500'000);
}

TEST_CASE("web/page.html was built from the sources beside it: after a change run `make web`") {
    const std::string page = read_file(web / "page.html");
    CHECK(page.find("name=\"ech0-sources\" content=\"" + hash_of_sources() + "\"") != std::string::npos);
}
