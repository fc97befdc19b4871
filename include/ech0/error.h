#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace ech0 {

/// A failure that ends the command. Its text names the thing, the value found, the value wanted and, if known, the
/// remedy; whoever knows more adds it on the way up, and `main` prints the chain in one line.
class Error : public std::exception {
public:
    explicit Error(std::string message) : message_(std::move(message)) {}
    void add_context(std::string_view doing) { message_ = std::string(doing) + ": " + message_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    std::string message_;
};

class UsageError : public Error {
    using Error::Error;
};  ///< the caller asked for something impossible
class FormatError : public Error {
    using Error::Error;
};  ///< a file is not what it should be
class FileError : public Error {
    using Error::Error;
};  ///< the operating system refused a file
class EngineError : public Error {
    using Error::Error;
};  ///< llama.cpp refused; the text carries its last log line

/// The person pressed Ctrl-C (or sent SIGTERM). Not an Error: nothing failed. `main` exits with 130.
class Interrupted : public std::exception {
public:
    const char* what() const noexcept override { return "interrupted"; }
};

}  // namespace ech0
