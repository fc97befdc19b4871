#pragma once

#include <optional>
#include <string>

namespace ech0 {

/// Lines that a person types. Unlike std::getline it notices Ctrl-C while it waits.
class LineReader {
public:
    explicit LineReader(int file_descriptor) : fd_(file_descriptor) {}

    /// @return the next line without its end; nothing at the end of the input
    /// @throws Interrupted if a signal came; what was typed so far is dropped
    std::optional<std::string> next();

private:
    bool read_more();

    int fd_;
    std::string typed_;
    bool ended_ = false;
};

}  // namespace ech0
