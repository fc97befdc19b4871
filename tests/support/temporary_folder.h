#pragma once

#include <filesystem>
#include <string>

namespace ech0 {

/// An empty folder that is gone, with all in it, when the test ends.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// An environment variable that has this value until the test ends.
class TemporaryVariable {
public:
    TemporaryVariable(std::string name, const std::string& value);
    ~TemporaryVariable();
    TemporaryVariable(const TemporaryVariable&) = delete;
    TemporaryVariable& operator=(const TemporaryVariable&) = delete;

private:
    std::string name_, before_;
    bool was_set_ = false;
};

}  // namespace ech0
