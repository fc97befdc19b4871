#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace ech0 {

/// What a person types at a terminal, with the keys for editing and the history that they know from their shell
/// (libedit: arrows, Ctrl-A, Ctrl-R, ~/.editrc). A message may have several lines: one that ends in a backslash goes on
/// in the next, and what stands between two lines of """ is one message.
class LineReader {
public:
    /// @param history  a file that earlier lines are read from and new ones kept in; "" = none
    explicit LineReader(std::filesystem::path history);
    ~LineReader();
    LineReader(const LineReader&) = delete;
    LineReader& operator=(const LineReader&) = delete;

    /// @return the next message; nothing at the end of the input
    /// @throws Interrupted if a signal came; what was typed so far is dropped
    std::optional<std::string> next();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ech0
