#include "install/ollama_copy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

#include "base/child.h"
#include "base/file.h"
#include "base/text.h"
#include "ech0/error.h"
#include "machine/runtimes.h"

namespace ech0 {
namespace {

// Its last line that says something: before it stand lines of progress, drawn with control characters.
std::string last_words(const ChildResult& result) {
    std::string words = result.errors.empty() ? result.output : result.errors;
    const size_t error = words.rfind("Error");
    if (error != std::string::npos) words.erase(0, error);
    while (!words.empty() && std::isspace(static_cast<unsigned char>(words.back())) != 0) words.pop_back();
    return words.empty() ? "it gave no reason" : printable(words, 300);
}

ChildResult ask(const std::filesystem::path& ollama, const std::vector<std::string>& arguments, double limit_s) {
    ChildResult result = run_child(ollama, arguments, limit_s);
    const std::string said = result.output + result.errors;
    if (result.exit_status != 0 &&
        (said.find("could not connect") != std::string::npos || said.find("connection refused") != std::string::npos))
        throw EngineError("Ollama is installed but not running: start it ('ollama serve' or its app), then try again");
    return result;
}

}  // namespace

std::optional<std::filesystem::path> find_ollama() {
    for (const Runtime& runtime : find_runtimes())
        if (runtime.name == "Ollama") return runtime.path;
    return std::nullopt;
}

std::string ollama_name(const Model& model) {
    std::string stem = model.files.front().stem().string();
    for (char& c : stem) {
        const auto byte = static_cast<unsigned char>(c);
        c = std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' ? static_cast<char>(std::tolower(byte)) : '-';
    }
    const size_t begin = std::min(stem.find_first_not_of("-_."), stem.size());
    return "ech0/" + (begin < stem.size() ? stem.substr(begin, 80) : "model");
}

bool ollama_has(const std::filesystem::path& ollama, const std::string& name) {
    return ask(ollama, {"show", name}, 30).exit_status == 0;
}

void ollama_create(const std::filesystem::path& ollama, const std::string& name, const std::string& modelfile) {
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / fmt::format("ech0-modelfile-{}", getpid());
    write_file(file, modelfile);
    const ChildResult made = ask(ollama, {"create", name, "-f", file.string()}, 0);
    std::error_code failure;
    std::filesystem::remove(file, failure);
    if (made.exit_status != 0) throw EngineError(fmt::format("ollama create {}: {}", name, last_words(made)));
}

void ollama_remove(const std::filesystem::path& ollama, const std::string& name) {
    if (!ollama_has(ollama, name)) return;
    const ChildResult removed = ask(ollama, {"rm", name}, 60);
    if (removed.exit_status != 0) throw EngineError(fmt::format("ollama rm {}: {}", name, last_words(removed)));
}

}  // namespace ech0
