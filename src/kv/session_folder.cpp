#include "kv/session_folder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/private_folder.h"
#include "base/sha256.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

namespace fs = std::filesystem;

constexpr size_t name_digits = 32;
constexpr const char* part_suffix = ".ech0-part";  // AtomicFile's

std::string shown(const fs::path& path) { return printable(path.string(), 400); }

FileError failure(const char* doing, const fs::path& path, int code) {
    return FileError(fmt::format("{} {}: {}", doing, shown(path), std::generic_category().message(code)));
}

/// Did we name it? Only such files are ever removed.
bool is_ours(const std::string& name) {
    return name.size() == name_digits + 4 && name.ends_with(".ekv") &&
           name.find_first_not_of("0123456789abcdef") == name_digits;
}

bool is_part(const std::string& name) {
    return name.size() > 1 && name.front() == '.' && name.ends_with(part_suffix) &&
           is_ours(name.substr(1, name.size() - 1 - std::string_view(part_suffix).size()));
}

std::string bytes_of_tokens(std::span<const int32_t> tokens) {
    return {reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()};
}

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

/// Remove the file unless somebody has a lock on it. @return whether it is gone
bool remove_unused(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT;
    const bool gone = ::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::unlink(file.c_str()) == 0;
    ::close(fd);
    return gone;
}

int64_t nanoseconds(const struct stat& status) {
#ifdef __APPLE__
    const timespec time = status.st_mtimespec;
#else
    const timespec time = status.st_mtim;
#endif
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FolderLock::FolderLock(const fs::path& folder, double wait_s) {
    const fs::path file = folder / ".lock";
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw failure("lock", file, errno);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_s);
    while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        const int code = errno;
        const bool busy = code == EWOULDBLOCK || code == EINTR;
        if (busy && !interrupted() && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            continue;
        }
        ::close(std::exchange(fd_, -1));
        check_interrupt();
        if (!busy) throw failure("lock", file, code);
        throw FileError(fmt::format("{}: another program has been writing there for {:.0f} s", shown(folder), wait_s));
    }
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
}

SessionFolder::SessionFolder(CacheKind kind, Options options) : kind_(std::move(kind)), options_(std::move(options)) {
    make_private_folder(options_.folder);  // what was said is nobody else's concern
    remove_parts();
    refresh();
}

SessionFolder::~SessionFolder() {
    if (in_use_ >= 0) ::close(in_use_);
}

void SessionFolder::say(std::string_view line) const {
    if (options_.note && said_.emplace(line).second) options_.note(line);
}

// One that is being written is locked by its writer.
void SessionFolder::remove_parts() const {
    std::error_code code;
    for (fs::directory_iterator at(options_.folder, code), end; !code && at != end; at.increment(code))
        if (is_part(at->path().filename().string())) remove_unused(at->path());
}

std::vector<std::string> SessionFolder::chain_of(std::span<const int32_t> tokens) const {
    std::string hash = sha256(fmt::format("ech0 session 1\n{}\n{}\n{}\n{}\n", kind_.model_sha256, kind_.type_k,
                                          kind_.type_v, engine_commit()));
    std::vector<std::string> chain = {hash};
    constexpr auto n = static_cast<size_t>(block_tokens);
    for (; tokens.size() >= n; tokens = tokens.subspan(n)) {
        hash = sha256(hash + bytes_of_tokens(tokens.first(n)));
        chain.push_back(hash);
    }
    return chain;
}

std::string SessionFolder::file_name(std::span<const int32_t> tokens) const {
    const size_t n_rest = tokens.size() % static_cast<size_t>(block_tokens);
    const std::string hash = sha256(chain_of(tokens).back() + bytes_of_tokens(tokens.last(n_rest)));
    return hash.substr(0, name_digits) + ".ekv";
}

SessionFolder::Entry SessionFolder::read_entry(const fs::path& file, const Stamp& stamp) const {
    Entry entry;
    entry.stamp = stamp;
    try {
        const Snapshot snapshot(file);
        if (snapshot.ekv().model_sha256 != kind_.model_sha256 || !snapshot.obstacle(kind_, INT64_MAX).empty())
            return entry;
        entry.tokens = snapshot.tokens();
        entry.chain = chain_of(entry.tokens);
        entry.is_talk = !snapshot.ekv().conversation.empty();
        entry.created_s = snapshot.ekv().created_s;
    } catch (const Error& error) {
        if (fs::exists(file)) say(fmt::format("{}; this session is skipped", error.what()));
    }
    return entry;
}

void SessionFolder::refresh() {
    std::map<std::string, Entry> now;
    std::error_code code;
    for (fs::directory_iterator at(options_.folder, code), end; !code && at != end; at.increment(code)) {
        const std::string name = at->path().filename().string();
        struct stat status {};
        if (!name.ends_with(".ekv") || name.front() == '.' || ::lstat(at->path().c_str(), &status) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        const Stamp stamp{status.st_size, nanoseconds(status), status.st_ino};
        const auto known = entries_.find(name);
        if (known != entries_.end() && known->second.stamp.inode == stamp.inode &&
            known->second.stamp.size_bytes == stamp.size_bytes) {
            // Files get their name when they are whole, so an inode's content stays; a foreign one may be written over.
            const bool same = is_ours(name) || known->second.stamp == stamp;
            known->second.stamp = stamp;
            now[name] = same ? std::move(known->second) : read_entry(at->path(), stamp);
        } else {
            now[name] = read_entry(at->path(), stamp);
        }
    }
    if (code) throw failure("read", options_.folder, code.value());
    entries_ = std::move(now);
}

int64_t SessionFolder::usable_tokens(const Entry& entry, std::span<const int32_t> prompt) const {
    const size_t n = common_prefix(entry.tokens, prompt);
    if (!options_.whole_only) return static_cast<int64_t>(std::min(n, prompt.size() - 1));
    return n == entry.tokens.size() && n < prompt.size() ? static_cast<int64_t>(n) : 0;
}

std::optional<SessionFolder::Found> SessionFolder::find(std::span<const int32_t> prompt, int64_t most_tokens) const {
    const std::vector<std::string> chain = chain_of(prompt);
    for (size_t n_blocks = chain.size() - 1; n_blocks > 0; n_blocks--) {
        std::optional<Found> best;
        for (const auto& [name, entry] : entries_) {
            const auto n_tokens = static_cast<int64_t>(entry.tokens.size());
            if (entry.chain.size() <= n_blocks || entry.chain[n_blocks] != chain[n_blocks] || n_tokens > most_tokens)
                continue;
            const int64_t n = usable_tokens(entry, prompt);
            const bool better = !best || n > best->n_shared || (n == best->n_shared && n_tokens < best->n_tokens);
            if (n > 0 && better) best = Found{options_.folder / name, n, n_tokens};
        }
        if (best) return best;
    }
    return std::nullopt;
}

std::optional<fs::path> SessionFolder::last_talk() const {
    const std::map<std::string, Entry>::value_type* last = nullptr;
    const auto when = [](const Entry& entry) { return std::pair(entry.created_s, entry.stamp.used_ns); };
    for (const auto& file : entries_)
        if (file.second.is_talk && (last == nullptr || when(file.second) > when(last->second))) last = &file;
    if (last == nullptr) return std::nullopt;
    return options_.folder / last->first;
}

bool SessionFolder::use(const fs::path& file) {
    if (in_use_ >= 0) ::close(std::exchange(in_use_, -1));
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    struct stat status {};
    // Whoever removes it has the lock, and then it has no name.
    if (::flock(fd, LOCK_SH | LOCK_NB) != 0 || ::fstat(fd, &status) != 0 || status.st_nlink == 0) {
        ::close(fd);
        return false;
    }
    in_use_ = fd;
    ::futimens(fd, nullptr);  // used now; a folder that can't be written keeps its order
    return true;
}

int64_t SessionFolder::size_bytes() const {
    int64_t sum = 0;
    for (const auto& [name, entry] : entries_)
        if (is_ours(name)) sum += entry.stamp.size_bytes;
    return sum;
}

void SessionFolder::make_room(int64_t new_bytes, const std::string& but) {
    refresh();
    std::vector<std::pair<int64_t, std::string>> by_use;
    for (const auto& [name, entry] : entries_)
        if (is_ours(name) && name != but) by_use.emplace_back(entry.stamp.used_ns, name);
    std::sort(by_use.begin(), by_use.end());
    const auto replaced = entries_.find(but);
    int64_t sum = size_bytes() + new_bytes - (replaced == entries_.end() ? 0 : replaced->second.stamp.size_bytes);
    for (const auto& [used, name] : by_use) {
        if (sum <= options_.limit_bytes) break;
        const int64_t freed = entries_.at(name).stamp.size_bytes;
        if (!remove_unused(options_.folder / name)) continue;
        sum -= freed;
        entries_.erase(name);
    }
    if (sum > options_.limit_bytes)
        throw FileError(
            fmt::format("{}: a session of {} does not fit the limit of {} beside what is in use; "
                        "--session-limit raises it",
                        shown(options_.folder), format_disk(new_bytes), format_disk(options_.limit_bytes)));
}

// With a sliding window the shorter one is good for what the longer one is not.
void SessionFolder::remove_superseded(const std::string& name, std::span<const int32_t> tokens) {
    if (options_.whole_only) return;
    for (const auto& [other, entry] : entries_) {
        const size_t n = entry.tokens.size();
        const bool goes_on = n > 0 && n < tokens.size() && common_prefix(entry.tokens, tokens) == n;
        if (other != name && is_ours(other) && goes_on && n >= tokens.size() / 2)
            remove_unused(options_.folder / other);
    }
}

void SessionFolder::store(std::span<const int32_t> tokens, bool is_talk, const Write& write) {
    const std::string name = file_name(tokens);
    const fs::path target = options_.folder / name;
    refresh();
    const auto known = entries_.find(name);
    if (known != entries_.end() && !known->second.tokens.empty() && (known->second.is_talk || !is_talk)) {
        use(target);
        return;
    }
    std::optional<FolderLock> lock;
    write(target, [&] {
        lock.emplace(options_.folder, options_.wait_s);
        const fs::path part = options_.folder / ("." + name + part_suffix);
        std::error_code code;
        const auto size_bytes = static_cast<int64_t>(fs::file_size(part, code));
        if (code) throw failure("look at", part, code.value());
        make_room(size_bytes, name);
    });
    use(target);
    remove_superseded(name, tokens);
    refresh();
}

}  // namespace ech0
