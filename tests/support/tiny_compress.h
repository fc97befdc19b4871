#pragma once

#include <string>
#include <vector>

#include "base/file.h"
#include "support/run.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

/// A folder with a small model and a text, and the command that compresses the one by the other.
struct TinyCompress {
    TemporaryFolder folder;
    RunOptions here;

    explicit TinyCompress(TinyModel shape = {.n_embd = 256, .n_embd_head = 64, .n_ff = 512}) {
        shape.type = GGML_TYPE_F16;
        write_tiny_model(shape, folder / "tiny.gguf");
        std::string text;
        for (int i = 0; i < 60; i++)
            text += "Sentence number " + std::to_string(i * 7919) + " says something else about " + std::to_string(i) +
                    " ships.\n\n";
        write_file(folder / "text.txt", text);
        here.folder = folder.path();
        here.environment["ECH0_CACHE"] = (folder / "cache").string();
        here.environment["OMP_NUM_THREADS"] = "1";
    }

    std::vector<std::string> compress(const std::string& size, std::vector<std::string> more = {}) const {
        std::vector<std::string> arguments = {
            "compress", "tiny.gguf", "--size",        size,       "-o",        "out.gguf",
            "--ctx",    "64",        "--calibration", "text.txt", "--threads", "1"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }

    bool left_behind() const {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
            if (entry.path().filename() == "out.gguf" || entry.path().string().ends_with(".ech0-part")) return true;
        return false;
    }
};

}  // namespace ech0
