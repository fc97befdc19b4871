#include "cli/line_reader.h"

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <deque>
#include <sstream>
#include <utility>

#include <histedit.h>
#include <langinfo.h>
#include <sys/select.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "ech0/error.h"

namespace ech0 {
namespace {

constexpr size_t longest_history = 1000;
constexpr const char *first_prompt = "> ", *next_prompt = ". ", *block_mark = "\"\"\"";

std::string utf8(std::wstring_view text) {
    std::string bytes;
    for (const wchar_t wide : text) {  // a code point each, on Linux and on macOS
        const auto c = static_cast<uint32_t>(wide);
        if (c < 0x80) {
            bytes += static_cast<char>(c);
        } else if (c < 0x800) {
            bytes += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
        } else if (c < 0x10000) {
            bytes += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                      static_cast<char>(0x80 | (c & 0x3F))};
        } else {
            bytes += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
                      static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
        }
    }
    return bytes;
}

std::wstring wide(std::string_view text) {
    std::wstring result;
    for (size_t at = 0; at < text.size();) {
        const size_t length = std::max<size_t>(1, utf8_length(text, at));
        auto c = static_cast<uint32_t>(static_cast<unsigned char>(text[at]));
        if (length > 1) c &= 0xFFU >> (length + 1);
        for (size_t i = 1; i < length; i++) c = c << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3F);
        result += static_cast<wchar_t>(c);
        at += length;
    }
    return result;
}

/// One byte, or nothing at the end. select, for poll knows no terminals on macOS; it looks up now and then, because a
/// signal may have come just before it began to wait, or to another thread.
/// @return 1, 0 at the end, -1 if a signal came
int read_byte(unsigned char& byte) {
    for (;;) {
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(STDIN_FILENO, &ready);
        timeval look_up{0, 200'000};
        const int n_ready = select(STDIN_FILENO + 1, &ready, nullptr, nullptr, &look_up);
        if (interrupted()) return -1;
        if (n_ready <= 0) continue;
        const ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n < 0 && errno == EINTR) continue;
        return n > 0 ? 1 : 0;  // a terminal that is gone fails to be read: the end too
    }
}

// libedit's own would not notice a signal, and reads in the locale's bytes: ours are UTF-8 wherever we are.
int read_character(EditLine*, wchar_t* character) {
    unsigned char byte = 0;
    const int got = read_byte(byte);
    if (got <= 0) return got;
    std::string bytes(1, static_cast<char>(byte));
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    while (bytes.size() < length && read_byte(byte) == 1) bytes += static_cast<char>(byte);
    *character = wide(bytes)[0];
    return 1;
}

const char* prompt_now = first_prompt;  // libedit asks for it without a context
wchar_t* prompt_of(EditLine*) {
    static wchar_t text[8];
    std::mbstowcs(text, prompt_now, 8);
    return text;
}

// A message of several lines is one line of the file.
std::string escaped(std::string_view text) {
    std::string line;
    for (const char c : text) line += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
    return line;
}

std::string unescaped(std::string_view line) {
    std::string text;
    for (size_t i = 0; i < line.size(); i++) {
        const bool is_escape = line[i] == '\\' && i + 1 < line.size();
        text += !is_escape ? line[i] : line[++i] == 'n' ? '\n' : line[i];
    }
    return text;
}

}  // namespace

struct LineReader::Impl {
    std::filesystem::path file;
    std::deque<std::string> lines;
    HistoryW* history = history_winit();
    EditLine* editor = nullptr;

    ~Impl() {
        el_end(editor);
        history_wend(history);
    }

    void remember(const std::string& message, bool keep) {
        HistEventW event;
        history_w(history, &event, H_ENTER, wide(message).c_str());
        lines.push_back(message);
        if (lines.size() > longest_history) lines.pop_front();
        if (!keep || file.empty()) return;
        std::string text;
        for (const std::string& line : lines) text += escaped(line) + "\n";
        try {
            std::error_code failure;
            std::filesystem::create_directories(file.parent_path(), failure);
            write_file(file, text);
        } catch (const FileError&) {  // no place for it: the talk matters more
            file.clear();
        }
    }

    void read_history() {
        std::error_code failure;
        if (file.empty() || !std::filesystem::exists(file, failure)) return;
        try {
            std::istringstream text(read_file(file));
            for (std::string line; std::getline(text, line);) remember(unescaped(line), false);
        } catch (const FileError&) {
            file.clear();
        }
    }

    // Without its end; nothing at the end of the input.
    std::optional<std::string> line(const char* prompt) {
        prompt_now = prompt;
        int n = 0;
        // Before the prompt is shown: libedit does it after, and a Ctrl-D typed between the two would be lost.
        el_wset(editor, EL_PREP_TERM, 1);
        const wchar_t* const got = el_wgets(editor, &n);
        if (interrupted()) {
            el_wset(editor, EL_REFRESH);
            throw Interrupted();
        }
        if (got == nullptr || n <= 0) return std::nullopt;
        std::string text = utf8({got, static_cast<size_t>(n)});
        while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
        return text;
    }
};

LineReader::LineReader(std::filesystem::path history) : impl_(std::make_unique<Impl>()) {
    std::setlocale(LC_CTYPE, "");
    if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
    impl_->file = std::move(history);
    HistEventW event;
    history_w(impl_->history, &event, H_SETSIZE, static_cast<int>(longest_history));
    history_w(impl_->history, &event, H_SETUNIQUE, 1);
    impl_->read_history();
    impl_->editor = el_init("ech0", stdin, stderr, stderr);  // stdout is for answers alone
    if (impl_->editor == nullptr) throw FileError("the terminal can't be set up for typing");
    el_wset(impl_->editor, EL_PROMPT, prompt_of);
    el_wset(impl_->editor, EL_EDITOR, L"emacs");
    el_wset(impl_->editor, EL_HIST, history_w, impl_->history);
    el_wset(impl_->editor, EL_GETCFN, read_character);
    el_source(impl_->editor, nullptr);
}

LineReader::~LineReader() = default;

std::optional<std::string> LineReader::next() {
    std::optional<std::string> line = impl_->line(first_prompt);
    if (!line) return std::nullopt;
    std::string message = *line;
    if (message == block_mark) {
        message.clear();
        while ((line = impl_->line(next_prompt)) && *line != block_mark)
            message += (message.empty() ? "" : "\n") + *line;
    }
    while (line && message.ends_with('\\')) {
        message.back() = '\n';
        line = impl_->line(next_prompt);
        message += line.value_or("");
    }
    if (!message.empty()) impl_->remember(message, true);
    return message;
}

}  // namespace ech0
