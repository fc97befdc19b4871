#include "serve/guarded_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/text.h"
#include "ech0/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): macOS declares it nowhere

namespace ech0 {
namespace {

std::string reason() { return std::generic_category().message(errno); }

// Only what is allowed between fork and exec: other threads of ours may have held locks.
[[noreturn]] void become(char* const* argv, char* const* environment, int log, pid_t parent) {
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // gone before we asked
#endif
    setpgid(0, 0);  // Ctrl-C is for us; we stop it in order
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_DFL);
    execve(argv[0], argv, environment);
    _exit(127);
}

[[noreturn]] void guard(int lifeline, pid_t child) {
    setpgid(0, 0);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    for (int fd = 0; fd < 256; fd++)
        if (fd != lifeline) close(fd);  // whoever waits for the end of our stdout must not wait for the guard
    char byte = 0;
    ssize_t n = 0;
    do n = read(lifeline, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 0) kill(child, SIGKILL);  // a byte says that all went in order
    _exit(0);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> list;
    list.reserve(words.size() + 1);
    for (std::string& word : words) list.push_back(word.data());
    list.push_back(nullptr);
    return list;
}

std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
    const auto name_of = [](const std::string& entry) { return entry.substr(0, entry.find('=')); };
    std::vector<std::string> entries;
    for (char** entry = environ; *entry != nullptr; entry++) {
        bool replaced = false;
        for (const std::string& change : changes) replaced = replaced || name_of(*entry) == name_of(change);
        if (!replaced) entries.emplace_back(*entry);
    }
    for (const std::string& change : changes)
        if (change.find('=') != std::string::npos) entries.push_back(change);
    return entries;
}

int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

GuardedChild::GuardedChild(const Command& command, const std::filesystem::path& log) {
    if (access(command.program.c_str(), X_OK) != 0)
        throw FileError(fmt::format("start {}: {}", printable(command.program.string(), 400), reason()));
    std::vector<std::string> words = {command.program.string()}, settings = environment_with(command.environment);
    words.insert(words.end(), command.arguments.begin(), command.arguments.end());
    const std::vector<char*> argv = pointers(words), environment = pointers(settings);
    const int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) throw FileError(fmt::format("write {}: {}", printable(log.string(), 400), reason()));
    std::array<int, 2> line{-1, -1};
    if (pipe(line.data()) != 0) {
        close(log_fd);
        throw FileError("can't open a pipe: " + reason());
    }
    for (const int end : line) fcntl(end, F_SETFD, FD_CLOEXEC);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) become(argv.data(), environment.data(), log_fd, parent);
    if (pid_ > 0) guard_ = fork();
    if (guard_ == 0) {
        close(line[1]);
        guard(line[0], pid_);
    }
    close(log_fd);
    close(line[0]);
    lifeline_ = line[1];
    if (pid_ > 0 && guard_ > 0) return;
    const std::string why = reason();
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);  // no destructor runs after a throw
    close(lifeline_);
    throw FileError("can't start a process: " + why);
}

GuardedChild::~GuardedChild() {
    if (pid_ > 0 && !exit_status()) {
        kill(pid_, SIGKILL);
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    }
    if (lifeline_ >= 0) {
        const ssize_t written = write(lifeline_, "", 1);
        static_cast<void>(written);  // a guard that is gone needs no word
        close(lifeline_);
    }
    if (guard_ > 0)
        while (waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {}
}

std::optional<int> GuardedChild::exit_status() {
    int status = 0;
    if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status_of(status);
    return status_;
}

int GuardedChild::stop(double grace_s) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    if (!exit_status()) kill(pid_, SIGTERM);
    while (!exit_status()) {
        if (std::chrono::duration<double>(Clock::now() - start).count() > grace_s) kill(pid_, SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return *status_;
}

}  // namespace ech0
