#include "store/package_index.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/sha256.h"
#include "base/text.h"

namespace ech0 {
namespace {

constexpr int most_tries = 4;
constexpr size_t largest_page_bytes = 16 << 20;

// A GET that follows redirects. @return the address that answered
Url get(Url url, const std::string& thing, const HttpOnBody& on_body) {
    for (int i = 0; i <= most_redirects; i++) {
        const HttpHead head = http_get(
            url, {{"Accept", "text/html, */*;q=0.1"}}, [](const HttpHead&) {}, on_body);
        if (head.status == 200) return url;
        if (head.status >= 500 || head.status == 408 || head.status == 429)
            throw NetworkError(fmt::format("{}: {} fails ({})", thing, printable(url.host), head.status));
        if (!is_redirect(head.status))
            throw FormatError(fmt::format("{}: {} answers {}, wanted 200; PIP_INDEX_URL names another index", thing,
                                          printable(url.host), head.status));
        url = redirected(url, head, thing);
    }
    throw FormatError(fmt::format("{}: {} redirects in circles", thing, printable(url.host)));
}

void with_patience(const std::function<void()>& attempt) {
    for (int i = 1;; i++) {
        try {
            attempt();
            return;
        } catch (const NetworkError&) {
            if (i == most_tries) throw;
        }
        for (int tenths = 0; tenths < 10 * i; tenths++) {
            check_interrupt();
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    }
}

std::string unescaped(std::string text) {  // "&amp;" is all that may stand in an address
    for (size_t at = 0; (at = text.find("&amp;", at)) != std::string::npos; at++) text.erase(at + 1, 4);
    return text;
}

}  // namespace

Url package_index() {
    const char* const named = std::getenv("PIP_INDEX_URL");
    return parse_url(named != nullptr && *named != 0 ? named : "https://pypi.org/simple");
}

Url find_in_page(std::string_view page, const PackageFile& wanted, const Url& page_address) {
    const std::string ending = ">" + wanted.file + "</a>";
    const size_t name = page.find(ending);
    const size_t anchor = name == std::string_view::npos ? name : page.rfind("href=\"", name);
    const size_t begin = anchor == std::string_view::npos ? anchor : anchor + 6;
    const size_t end = begin == std::string_view::npos ? begin : page.find('"', begin);
    if (end == std::string_view::npos || end > name ||
        page.substr(end, name - end).find("</a>") != std::string_view::npos)
        throw FormatError(fmt::format("{} has no file {}: PIP_INDEX_URL names another index",
                                      printable(page_address.text(), 400), wanted.file));
    std::string address = unescaped(std::string(page.substr(begin, end - begin)));
    address = address.substr(0, address.find('#'));
    // Relative addresses may climb: "../../packages/…".
    Url base = page_address;
    while (address.starts_with("../")) {
        address.erase(0, 3);
        base.path = base.path.substr(0, base.path.rfind('/'));
        base.path = base.path.substr(0, base.path.rfind('/') + 1);
    }
    if (base.path.empty()) base.path = "/";
    return base.resolved(address);
}

void fetch_package_file(const Url& index, const PackageFile& wanted, const std::filesystem::path& target,
                        const Progress& progress) {
    Url page_address = index;
    if (!page_address.path.ends_with('/')) page_address.path += '/';
    page_address.path += wanted.package + "/";
    const std::string stage = "fetch " + wanted.file;
    with_patience([&] {
        std::string page;
        const Url answered = get(page_address, wanted.package, [&](const char* data, size_t size) {
            if (page.size() + size > largest_page_bytes)
                throw FormatError(fmt::format("{}: a page of more than {} bytes", wanted.package, largest_page_bytes));
            page.append(data, size);
        });
        const Url address = find_in_page(page, wanted, answered);
        AtomicFile file(target);
        file.expect_size(wanted.size_bytes);
        Sha256 hash;
        get(address, wanted.file, [&](const char* data, size_t size) {
            if (file.size_bytes() + static_cast<int64_t>(size) > wanted.size_bytes)
                throw FormatError(
                    fmt::format("{}: more than the {} bytes it should have", wanted.file, wanted.size_bytes));
            file.write(data, size);
            hash.update(data, size);
            if (progress) progress(stage, file.size_bytes(), wanted.size_bytes);
        });
        if (file.size_bytes() < wanted.size_bytes)
            throw NetworkError(fmt::format("{}: the server ends after {} of {} bytes", wanted.file, file.size_bytes(),
                                           wanted.size_bytes));
        if (const std::string found = hash.hex(); found != wanted.sha256)
            throw FormatError(fmt::format("{}: what came has SHA-256 {}, wanted {}: don't use it, and report this",
                                          wanted.file, found, wanted.sha256));
        file.commit();
    });
}

}  // namespace ech0
