#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// A program that runs GGUF models and is installed here.
struct Runtime {
    std::string name;            ///< "Ollama", "llama.cpp server", "LM Studio"
    std::filesystem::path path;  ///< its program, or an application's folder
    std::string version;         ///< as it says itself; "" if it did not say within two seconds
};

/// Those on the PATH and in the folders where their installers put them.
std::vector<Runtime> find_runtimes();

/// The version in what a program answers to --version: "0.5.4" of "ollama version is 0.5.4", "4589 (30a3d0f)" of
/// llama.cpp's "version: 4589 (30a3d0f)"; "" if there is none.
std::string version_in(std::string_view answer);

}  // namespace ech0
