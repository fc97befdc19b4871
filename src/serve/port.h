#pragma once

#include <cstdint>
#include <string>

namespace ech0 {

/// Could a server listen there now?
/// @param host  an IPv4 or IPv6 address, or a name that stands for one
/// @throws UsageError if the host is no address of this machine
bool port_is_free(const std::string& host, int64_t port);

/// Some port that is free there.
/// @throws as port_is_free
int64_t any_free_port(const std::string& host);

/// Do only programs of this machine reach the address?
bool is_loopback(const std::string& host);

}  // namespace ech0
