#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/http.h"

namespace ech0 {

/// A Hugging Face hub, and how patient to be with it.
struct Hub {
    Url endpoint;
    std::string token;      ///< sent to the endpoint alone, and never shown
    int most_failures = 5;  ///< in a row, without a byte gained
    double back_off_s = 1;  ///< after the first failure; doubled after each

    /// https://huggingface.co, or what HF_ENDPOINT says; the token from HF_TOKEN.
    /// @throws UsageError if HF_ENDPOINT is no address, or HF_TOKEN can't be one
    static Hub from_environment();
};

/// A GGUF file that the hub lists.
struct HubFile {
    std::string path;  ///< in the repository
    int64_t size_bytes = 0;
    std::string sha256;
};

/// What a person asked of the hub: one model, which may be several files.
struct HubModel {
    std::string name;        ///< "hf:ORG/REPO:FILE", as the model will be called on this machine
    std::string repository;  ///< "ORG/REPO"
    std::vector<HubFile> files;

    int64_t size_bytes() const;
};

/// Look a name up on the hub: "hf:ORG/REPO[:FILE or type]", read as `find_stored_model` reads it.
/// @throws UsageError if there is no such repository or file, or several are meant (all are named); FormatError if the
///         answer makes no sense; NetworkError; Interrupted
HubModel find_on_hub(const Hub& hub, std::string_view asked);

/// Where bytes of a file arrive.
struct ByteSink {
    std::function<void(int64_t offset_bytes)> begin;  ///< the next bytes are those from here on
    std::function<void(const char* data, size_t size)> write;
};

/// Read bytes [first, end) of a file into the sink; redirects are followed. A server that ignores the range begins at
/// 0. It may give fewer bytes than asked for.
/// @throws FormatError if the server says that it sends other bytes, or has a file of another size; NetworkError
void read_from_hub(const Hub& hub, const HubModel& model, const HubFile& file, int64_t first, int64_t end,
                   const ByteSink& sink);

/// Do it again while the network fails and nothing is gained, as often as the hub's patience allows.
/// @param gained  bytes so far; what grows it counts as success
/// @throws what `action` threw last
void with_patience(const Hub& hub, const std::function<int64_t()>& gained, const std::function<void()>& action);

}  // namespace ech0
