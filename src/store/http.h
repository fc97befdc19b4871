#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ech0/error.h"

namespace ech0 {

/// The network or the server failed in a way that may pass: worth another try.
class NetworkError : public Error {
    using Error::Error;
};

/// An address of http or https, in parts.
struct Url {
    std::string scheme, host;  ///< "https", "huggingface.co"
    int port = 0;
    std::string path = "/";  ///< with the query, encoded

    std::string origin() const;  ///< "https://huggingface.co:443"
    std::string text() const;
    /// Where a Location header leads from here: a whole address, or a path on the same server.
    Url resolved(std::string_view location) const;
};

/// @throws UsageError if it is no address of http or https
Url parse_url(std::string_view text);

/// Bytes of a path that may not stand in an address as they are become %XX; '/' stays.
std::string encode_path(std::string_view path);

/// What a server says before the body.
struct HttpHead {
    int status = 0;
    int64_t range_first = -1, range_total = -1;  ///< of Content-Range; -1 if it has none
    std::string location, retry_after, link;
};

constexpr int most_redirects = 8;  ///< that a caller should follow

bool is_redirect(int status);

/// Where a redirect leads.
/// @param thing  what was asked for, in errors
/// @throws FormatError if it leads from https to http, which is not followed, or does not say where
Url redirected(const Url& from, const HttpHead& head, std::string_view thing);

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;
using HttpOnHead = std::function<void(const HttpHead&)>;
using HttpOnBody = std::function<void(const char* data, size_t size)>;

/// One GET. Redirects are not followed. The callbacks may throw, which ends the request; `on_body` is called only for a
/// status of 200 or 206.
/// @throws NetworkError if the server can't be reached, breaks off or falls silent; Interrupted
HttpHead http_get(const Url& url, const HttpHeaders& headers, const HttpOnHead& on_head, const HttpOnBody& on_body);

}  // namespace ech0
