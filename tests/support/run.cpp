#include "support/run.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ech0 {
namespace {

struct Pipe {
    int read_end = -1, write_end = -1;

    Pipe() {
        int ends[2];
        if (pipe(ends) != 0) throw std::runtime_error("pipe");
        read_end = ends[0];
        write_end = ends[1];
        fcntl(read_end, F_SETFD, FD_CLOEXEC);
        fcntl(write_end, F_SETFD, FD_CLOEXEC);
    }
    ~Pipe() {
        close_read();
        close_write();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_read() {
        if (read_end >= 0) close(read_end);
        read_end = -1;
    }
    void close_write() {
        if (write_end >= 0) close(write_end);
        write_end = -1;
    }
};

[[noreturn]] void become(const std::vector<std::string>& command, const RunOptions& options) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
    if (chdir(options.folder.c_str()) == 0) execvp(arguments[0], arguments.data());
    _exit(127);
}

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Read into `text`; close the pipe at its end.
void take(Pipe& pipe, std::string& text) {
    char buffer[1 << 16];
    const ssize_t size = read(pipe.read_end, buffer, sizeof buffer);
    if (size > 0) text.append(buffer, static_cast<size_t>(size));
    if (size == 0) pipe.close_read();
}

void feed(Pipe& pipe, std::string& input) {
    const ssize_t size = write(pipe.write_end, input.data(), std::min<size_t>(input.size(), 4096));
    if (size > 0) input.erase(0, static_cast<size_t>(size));
    if (size < 0 || input.empty()) pipe.close_write();
}

void serve(Pipe& in, Pipe& out, Pipe& err, Finished& finished, pid_t child, const RunOptions& options) {
    std::string input = options.input;
    if (input.empty()) in.close_write();
    const double deadline = now_s() + options.timeout_s;
    while (out.read_end >= 0 || err.read_end >= 0) {
        struct pollfd waits[] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}};
        const double left_s = deadline - now_s();
        if (left_s <= 0) kill(child, SIGKILL);
        if (poll(waits, 3, static_cast<int>(std::max(1.0, std::min(left_s, 60.0) * 1000))) < 0 && errno != EINTR) break;
        if (waits[0].revents != 0) take(out, finished.out);
        if (waits[1].revents != 0) take(err, finished.err);
        if (waits[2].revents != 0) feed(in, input);
    }
}

}  // namespace

Finished run(const std::vector<std::string>& command, const RunOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    Pipe in, out, err;
    const pid_t child = fork();
    if (child < 0) throw std::runtime_error("fork");
    if (child == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        dup2(in.read_end, STDIN_FILENO);
        dup2(out.write_end, STDOUT_FILENO);
        dup2(err.write_end, STDERR_FILENO);
        become(command, options);
    }
    in.close_read();
    out.close_write();
    err.close_write();
    Finished finished;
    serve(in, out, err, finished, child, options);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status)) finished.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
    if (finished.status == 127) throw std::runtime_error("can't start " + command[0]);
    return finished;
}

std::string run_ech0_path() { return ECH0_BINARY; }

Finished run_ech0(std::vector<std::string> arguments, const RunOptions& options) {
    arguments.insert(arguments.begin(), ECH0_BINARY);
    return run(arguments, options);
}

int64_t count_lines(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n') + (text.empty() || text.back() == '\n' ? 0 : 1);
}

}  // namespace ech0
