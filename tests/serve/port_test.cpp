#include "serve/port.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ech0/error.h"

using namespace ech0;

TEST_CASE("a port is taken while somebody listens on it") {
    const int64_t port = any_free_port("127.0.0.1");
    CHECK(port_is_free("127.0.0.1", port));
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(fd, 1) == 0);
    CHECK_FALSE(port_is_free("127.0.0.1", port));
    close(fd);
    CHECK(port_is_free("127.0.0.1", port));
}

TEST_CASE("loopback is what only this machine reaches") {
    CHECK(is_loopback("127.0.0.1"));
    CHECK(is_loopback("127.8.8.8"));
    CHECK(is_loopback("::1"));
    CHECK_FALSE(is_loopback("0.0.0.0"));
    CHECK_FALSE(is_loopback("::"));
    CHECK_FALSE(is_loopback("192.168.1.5"));
    CHECK_THROWS_AS(is_loopback("no such host"), UsageError);
    CHECK_THROWS_AS(port_is_free("192.0.2.1", 8080), UsageError);  // no address of this machine
}
