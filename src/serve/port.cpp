#include "serve/port.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses addresses_of(const std::string& host, int64_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failure != 0 || found == nullptr)
        throw UsageError(fmt::format("--host {}: {}; give an address of this machine, such as 127.0.0.1",
                                     printable(host), gai_strerror(failure)));
    return {found, &freeaddrinfo};
}

/// @return the port that was bound, 0 if it is taken
int64_t try_bind(const std::string& host, int64_t port) {
    const Addresses addresses = addresses_of(host, port);
    const int fd = socket(addresses->ai_family, SOCK_STREAM, 0);
    if (fd < 0) throw UsageError(fmt::format("--host {}: no such kind of address here", printable(host)));
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const bool bound = bind(fd, addresses->ai_addr, addresses->ai_addrlen) == 0;
    const int code = errno;
    sockaddr_storage got{};
    socklen_t size = sizeof got;
    if (bound) getsockname(fd, reinterpret_cast<sockaddr*>(&got), &size);
    close(fd);
    if (bound)
        return ntohs(got.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(got).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(got).sin_port);
    if (code == EADDRINUSE) return 0;
    throw UsageError(
        fmt::format("listen on {} port {}: {}", printable(host), port, std::generic_category().message(code)));
}

}  // namespace

bool port_is_free(const std::string& host, int64_t port) { return try_bind(host, port) != 0; }

int64_t any_free_port(const std::string& host) { return try_bind(host, 0); }

bool is_loopback(const std::string& host) {
    const Addresses addresses = addresses_of(host, 0);
    for (const addrinfo* found = addresses.get(); found != nullptr; found = found->ai_next) {
        if (found->ai_family == AF_INET) {
            const auto* const address = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
            if (ntohl(address->sin_addr.s_addr) >> 24 != 127) return false;
        } else if (found->ai_family == AF_INET6) {
            const auto* const address = reinterpret_cast<const sockaddr_in6*>(found->ai_addr);
            if (IN6_IS_ADDR_LOOPBACK(&address->sin6_addr) == 0) return false;
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace ech0
