#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/interrupt.h"
#include "ech0/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): macOS declares it nowhere

namespace ech0 {
namespace {

/// One end to read for us, one to write for the child; both are closed at the end whatever happens.
struct Pipe {
    std::array<int, 2> fd{-1, -1};

    Pipe() {
        if (pipe(fd.data()) != 0) throw FileError(std::string("can't open a pipe: ") + std::strerror(errno));
        for (const int end : fd) fcntl(end, F_SETFD, FD_CLOEXEC);
    }
    ~Pipe() {
        close_read();
        close_write();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    void close_read() { close_end(fd[0]); }
    void close_write() { close_end(fd[1]); }

private:
    static void close_end(int& end) {
        if (end >= 0) close(end);
        end = -1;
    }
};

/// Where a child's streams go; its stdin is empty.
class FileActions {
public:
    FileActions() {
        posix_spawn_file_actions_init(&actions_);
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    void send(int stream, const Pipe& pipe) { posix_spawn_file_actions_adddup2(&actions_, pipe.fd[1], stream); }
    void discard(int stream) { posix_spawn_file_actions_addopen(&actions_, stream, "/dev/null", O_WRONLY, 0); }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
    posix_spawn_file_actions_t actions_{};
};

pid_t start(const std::filesystem::path& program, const std::vector<std::string>& arguments, const FileActions& streams,
            const posix_spawnattr_t* attributes = nullptr) {
    std::vector<std::string> words = {program.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    pid_t pid = 0;
    const int error = posix_spawn(&pid, program.c_str(), streams.get(), attributes, argv.data(), environ);
    if (error != 0) throw FileError(program.string() + ": can't start it: " + std::strerror(error));
    return pid;
}

int as_a_shell_counts(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return as_a_shell_counts(status);
}

/// Read what there is; false at the end.
bool read_some(int fd, std::string& into) {
    std::array<char, 4096> buffer;
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n > 0) into.append(buffer.data(), static_cast<size_t>(n));
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

using Clock = std::chrono::steady_clock;

/// Both streams until both end: reading one alone would let the child block on the other.
/// @return false if the time was over before
bool read_both(Pipe& out, Pipe& err, ChildResult& result, double limit_s) {
    const Clock::time_point start = Clock::now();
    while (out.fd[0] >= 0 || err.fd[0] >= 0) {
        check_interrupt();
        if (limit_s > 0 && std::chrono::duration<double>(Clock::now() - start).count() > limit_s) return false;
        std::array<pollfd, 2> wait = {{{out.fd[0], POLLIN, 0}, {err.fd[0], POLLIN, 0}}};  // a negative fd is skipped
        if (poll(wait.data(), wait.size(), 100) <= 0) continue;
        if (wait[0].revents != 0 && !read_some(out.fd[0], result.output)) out.close_read();
        if (wait[1].revents != 0 && !read_some(err.fd[0], result.errors)) err.close_read();
    }
    return true;
}

}  // namespace

ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments, double limit_s) {
    Pipe out, err;
    FileActions streams;
    streams.send(STDOUT_FILENO, out);
    streams.send(STDERR_FILENO, err);
    const pid_t pid = start(program, arguments, streams);
    out.close_write();
    err.close_write();
    ChildResult result;
    try {
        if (!read_both(out, err, result, limit_s)) kill(pid, SIGKILL);
    } catch (...) {
        kill(pid, SIGKILL);
        wait_for(pid);
        throw;
    }
    result.exit_status = wait_for(pid);
    return result;
}

std::optional<int> start_and_leave(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                                   double patience_s) {
    FileActions streams;
    streams.discard(STDOUT_FILENO);
    streams.discard(STDERR_FILENO);
    posix_spawnattr_t session;
    posix_spawnattr_init(&session);
    posix_spawnattr_setflags(&session, POSIX_SPAWN_SETSID);
    const pid_t pid = start(program, arguments, streams, &session);
    posix_spawnattr_destroy(&session);
    const Clock::time_point end =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(patience_s));
    do {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) return as_a_shell_counts(status);
        check_interrupt();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (Clock::now() < end);
    return std::nullopt;
}

}  // namespace ech0
