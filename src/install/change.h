#pragma once

// A change of a person's files, known as a whole before anything is written: so it can be shown (--dry-run), carried
// out with a way back (journal.h), and found to change nothing.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ech0 {

/// One file's bytes, before and after; nothing where there is no file.
struct FileEdit {
    std::filesystem::path file;  ///< where the bytes lie: what a link leads to
    std::optional<std::string> before, after;

    bool changes() const { return before != after; }
};

/// A file as it is now, to be edited. @throws FileError
FileEdit edit_of(const std::filesystem::path& file);

/// What one command changes.
struct Change {
    std::string command;  ///< "ech0 use qwen.gguf"
    std::vector<FileEdit> edits;
    std::string ollama_model;  ///< that the command put into Ollama, where there was none of that name; "" = none
};

/// A unified diff, as patch(1) reads it; "" if nothing changes.
std::string diff_text(const FileEdit& edit);

}  // namespace ech0
