// Modelfiles for Ollama from models with hostile names, licences and templates: outside of a quoted text every line
// begins with an instruction of ours.

#include <array>
#include <sstream>
#include <string>

#include "ech0/error.h"
#include "input_file.h"
#include "install/modelfile.h"

namespace {

bool is_instruction(const std::string& line) {
    for (const char* word : {"FROM ", "PARAMETER ", "TEMPLATE ", "SYSTEM ", "LICENSE ", "#"})
        if (line.starts_with(word)) return true;
    return line.empty();
}

size_t n_quotes(const std::string& line) {
    size_t n = 0;
    for (size_t at = line.find("\"\"\""); at != std::string::npos; at = line.find("\"\"\"", at + 3)) n++;
    return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::array<std::string, 4> texts;  // file, licence, template, system
    for (size_t i = 0, part = 0; i < size; i++) {
        if (data[i] == 0 && part + 1 < texts.size())
            part++;
        else
            texts[part] += static_cast<char>(data[i]);
    }
    ech0::Model model;
    model.files = {texts[0].empty() ? "m.gguf" : texts[0]};
    model.licence = texts[1];
    model.chat_template = texts[2];
    ech0::ModelfileOptions options;
    options.system = texts[3];
    try {
        std::istringstream lines(ech0::modelfile_text(model, options));
        bool quoted = false;
        for (std::string line; std::getline(lines, line);) {
            if (!quoted && !is_instruction(line)) std::abort();
            if (n_quotes(line) % 2 == 1) quoted = !quoted;
        }
    } catch (const ech0::Error&) {}
    return 0;
}
