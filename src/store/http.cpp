#include "store/http.h"

#include <atomic>
#include <cctype>
#include <charconv>
#include <chrono>
#include <exception>
#include <thread>

#include <fmt/format.h>

// The system's library is built with OpenSSL; the class layouts depend on this definition.
#define CPPHTTPLIB_OPENSSL_SUPPORT
#include <httplib.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr int connect_timeout_s = 15;
constexpr int silence_timeout_s = 30;  // a server that sends nothing for so long is gone

// A signed address must stay as it is, to the letter; the switch for that was renamed between httplib 0.11 and 0.53.
template <class Client>
void keep_addresses(Client& client) {
    if constexpr (requires { client.set_path_encode(false); })
        client.set_path_encode(false);
    else
        client.set_url_encode(false);
}

// Closes the connection when Ctrl-C comes, so that a read which waits for the server ends at once.
class InterruptWatch {
public:
    explicit InterruptWatch(httplib::Client& client)
        : thread_([this, &client] {
              while (!done_) {
                  std::this_thread::sleep_for(std::chrono::milliseconds(50));
                  if (interrupted()) client.stop();
              }
          }) {}
    ~InterruptWatch() {
        done_ = true;
        thread_.join();
    }
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;

private:
    std::atomic<bool> done_ = false;  // before the thread that reads it
    std::thread thread_;
};

// "bytes 100-199/1000"; anything else leaves -1.
void read_content_range(const std::string& text, HttpHead& head) {
    constexpr std::string_view unit = "bytes ";
    if (!text.starts_with(unit)) return;
    const char* const first = text.data() + unit.size();
    const char* const end = text.data() + text.size();
    const size_t slash = text.find('/');
    std::from_chars(first, end, head.range_first);
    if (slash != std::string::npos) std::from_chars(text.data() + slash + 1, end, head.range_total);
}

HttpHead head_of(const httplib::Response& response) {
    HttpHead head;
    head.status = response.status;
    head.location = response.get_header_value("Location");
    head.retry_after = response.get_header_value("Retry-After");
    head.link = response.get_header_value("Link");
    read_content_range(response.get_header_value("Content-Range"), head);
    return head;
}

std::string reason_of(httplib::Error error) {
    switch (error) {
        case httplib::Error::Connection: return "no connection";
        case httplib::Error::ConnectionTimeout: return fmt::format("no connection in {} s", connect_timeout_s);
        case httplib::Error::Read: return "the server broke off, or was silent for too long";
        case httplib::Error::Write: return "the connection broke";
        case httplib::Error::SSLConnection: return "no TLS connection";
        case httplib::Error::SSLLoadingCerts: return "the system's certificates can't be loaded";
        case httplib::Error::SSLServerVerification: return "the server's certificate is not trusted by this system";
        default: return "the request failed: " + httplib::to_string(error);
    }
}

}  // namespace

std::string Url::origin() const { return fmt::format("{}://{}:{}", scheme, host, port); }

std::string Url::text() const {
    const bool usual = port == (scheme == "https" ? 443 : 80);
    return usual ? scheme + "://" + host + path : origin() + path;
}

Url Url::resolved(std::string_view location) const {
    if (location.find("://") != std::string_view::npos) return parse_url(location);
    Url there = *this;
    if (location.starts_with("//")) return parse_url(scheme + ":" + std::string(location));
    there.path =
        location.starts_with("/") ? std::string(location) : path.substr(0, path.rfind('/') + 1) + std::string(location);
    return there;
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Url redirected(const Url& from, const HttpHead& head, std::string_view thing) {
    const std::string host = printable(from.host);
    if (head.location.empty())
        throw FormatError(fmt::format("{}: {} leads elsewhere ({}) without saying where", thing, host, head.status));
    Url next = from.resolved(head.location);
    if (from.scheme == "https" && next.scheme != "https")
        throw FormatError(fmt::format("{}: {} leads from https to http, which is not followed", thing, host));
    return next;
}

Url parse_url(std::string_view text) {
    const auto refuse = [&] {
        return UsageError(fmt::format("'{}' is no address: wanted http://HOST[:PORT]/… or https://…",
                                      printable(text.substr(0, text.find('?')), 400)));
    };
    Url url;
    const size_t mark = text.find("://");
    if (mark == std::string_view::npos) throw refuse();
    url.scheme = text.substr(0, mark);
    if (url.scheme != "http" && url.scheme != "https") throw refuse();
    const std::string_view rest = text.substr(mark + 3);
    const size_t slash = std::min(rest.find('/'), rest.find('?'));
    const std::string_view place = rest.substr(0, slash);
    if (slash != std::string_view::npos) url.path = rest.substr(slash);
    if (url.path.front() != '/') url.path = "/" + url.path;
    // A name and password in an address would end up in messages.
    if (place.find('@') != std::string_view::npos) throw refuse();
    const size_t colon = place.rfind(':');
    url.host = place.substr(0, colon);
    url.port = url.scheme == "https" ? 443 : 80;
    if (colon != std::string_view::npos) {
        const auto [end, failure] = std::from_chars(place.data() + colon + 1, place.data() + place.size(), url.port);
        if (failure != std::errc() || end != place.data() + place.size() || url.port < 1 || url.port > 65535)
            throw refuse();
    }
    if (url.host.empty()) throw refuse();
    for (const unsigned char c : text) {
        if (c <= ' ' || c >= 0x7F) throw refuse();  // a line break would write headers of its own
    }
    return url;
}

std::string encode_path(std::string_view path) {
    std::string out;
    for (const unsigned char c : path) {
        const bool plain =
            std::isalnum(c) != 0 || std::string_view("-._~/").find(static_cast<char>(c)) != std::string_view::npos;
        out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
    }
    return out;
}

HttpHead http_get(const Url& url, const HttpHeaders& headers, const HttpOnHead& on_head, const HttpOnBody& on_body) {
    check_interrupt();
    httplib::Client client(url.origin());
    client.set_connection_timeout(connect_timeout_s);
    client.set_read_timeout(silence_timeout_s);
    client.set_follow_location(false);
    client.set_decompress(false);
    keep_addresses(client);
    // Ranges count the bytes of the file itself.
    httplib::Headers sent = {{"User-Agent", "ech0/" ECH0_VERSION}, {"Accept-Encoding", "identity"}};
    for (const auto& [name, value] : headers) sent.emplace(name, value);

    // Exceptions of the callbacks go around httplib, not through it.
    std::exception_ptr thrown;
    const auto guarded = [&](const auto& action) {
        try {
            check_interrupt();
            action();
            return true;
        } catch (...) {
            thrown = std::current_exception();
            return false;
        }
    };
    bool wants_body = false;
    const InterruptWatch watch(client);
    const httplib::Result result = client.Get(
        url.path, sent,
        [&](const httplib::Response& response) {
            wants_body = response.status == 200 || response.status == 206;
            return guarded([&] { on_head(head_of(response)); });
        },
        [&](const char* data, size_t size) {
            return guarded([&] {
                if (wants_body) on_body(data, size);
            });
        });
    if (thrown) std::rethrow_exception(thrown);
    check_interrupt();
    if (!result) throw NetworkError(fmt::format("{}: {}", printable(url.origin(), 200), reason_of(result.error())));
    return head_of(*result);
}

}  // namespace ech0
