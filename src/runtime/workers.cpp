#include "runtime/workers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml-rpc.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <system_error>

#include "base/text.h"
#include "ech0/error.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

constexpr int patience_ms = 3000;

struct Address {
    std::string host, port;
};

Address address_of(const std::string& endpoint) {
    const size_t colon = endpoint.rfind(':');
    int port = 0;
    const char* const end = endpoint.data() + endpoint.size();
    const bool is_port = colon != std::string::npos && colon > 0 &&
                         std::from_chars(endpoint.data() + colon + 1, end, port).ptr == end && port > 0 && port < 65536;
    if (!is_port)
        throw UsageError(fmt::format("--rpc {}: wanted HOST:PORT, as 192.168.1.7:50052", printable(endpoint)));
    return {endpoint.substr(0, colon), endpoint.substr(colon + 1)};
}

/// Knock, and go again. @return why nobody opens; "" if somebody does
std::string knock(const std::string& endpoint) {
    const Address address = address_of(endpoint);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int failure = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &list); failure != 0)
        return gai_strerror(failure);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(list, &freeaddrinfo);
    const int fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd < 0) return std::generic_category().message(errno);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    int code = connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        pollfd wait{fd, POLLOUT, 0};
        socklen_t size = sizeof code;
        if (poll(&wait, 1, patience_ms) <= 0)
            code = ETIMEDOUT;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    }
    close(fd);
    return code == 0 ? "" : std::generic_category().message(code);
}

// The engine takes an address, and "localhost" only where it is one.
ggml_backend_reg_t add_worker(const std::string& endpoint) {
    if (const std::string why = knock(endpoint); !why.empty())
        throw EngineError(
            fmt::format("the worker {} does not answer ({}): start 'ggml-rpc-server -H ADDRESS -p PORT' "
                        "there, or leave it out of --rpc",
                        printable(endpoint), why));
    start_engine();
    clear_engine_message();
    ggml_backend_reg_t reg = ggml_backend_rpc_add_server(endpoint.c_str());
    if (reg == nullptr)
        throw EngineError(fmt::format("the worker {} can't be used: {}; it must be of the same version ({})",
                                      printable(endpoint), printable(last_engine_message(), 200),
                                      engine_description()));
    return reg;
}

}  // namespace

std::vector<Worker> ask_workers(std::span<const std::string> endpoints) {
    std::vector<Worker> workers;
    for (const std::string& endpoint : endpoints) {
        for (const Worker& other : workers)
            if (other.endpoint == endpoint) throw UsageError(fmt::format("--rpc: {} is there twice", endpoint));
        ggml_backend_reg_t reg = add_worker(endpoint);
        for (size_t i = 0; i < ggml_backend_reg_dev_count(reg); i++) {
            ggml_backend_dev_t device = ggml_backend_reg_dev_get(reg, i);
            size_t free = 0, total = 0;
            ggml_backend_dev_memory(device, &free, &total);
            workers.push_back({endpoint, static_cast<int64_t>(i), ggml_backend_dev_description(device),
                               static_cast<int64_t>(free), static_cast<int64_t>(total)});
        }
    }
    return workers;
}

ggml_backend_dev_t worker_device(const RemoteShare& share) {
    ggml_backend_reg_t reg = add_worker(share.endpoint);
    const auto n_devices = static_cast<int64_t>(ggml_backend_reg_dev_count(reg));
    if (share.device < 0 || share.device >= n_devices)
        throw UsageError(fmt::format("the worker {} has {} devices, wanted number {}", printable(share.endpoint),
                                     n_devices, share.device));
    return ggml_backend_reg_dev_get(reg, static_cast<size_t>(share.device));
}

std::string gone_worker(std::span<const std::string> endpoints) {
    usleep(300'000);  // a process that dies gives up its connections one after another
    for (const std::string& endpoint : endpoints)
        if (const std::string why = knock(endpoint); !why.empty())
            return fmt::format(
                "the worker {} is gone ({}): the work can't go on without its layers; start it again, or "
                "leave it out of --rpc",
                printable(endpoint), why);
    return "";
}

std::string worker_trouble(std::span<const std::string> endpoints, const std::string& engine_words) {
    if (std::string gone = gone_worker(endpoints); !gone.empty()) return gone;
    const size_t words = engine_words.find(": ");
    return fmt::format("a worker ({}) broke the connection, or is none of this engine's version ({}): {}",
                       fmt::join(endpoints, ", "), engine_description(),
                       printable(words == std::string::npos ? engine_words : engine_words.substr(words + 2), 200));
}

}  // namespace ech0
