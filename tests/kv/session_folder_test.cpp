#include "kv/session_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <numeric>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "kv/pack.h"
#include "kv/state.h"
#include "support/engine_state.h"
#include "support/temporary_folder.h"

using namespace ech0;
namespace fs = std::filesystem;

namespace {

using Tokens = std::vector<int32_t>;

/// n tokens that count up, and differ from others from `fork` on.
Tokens tokens(int n, int fork = 1 << 20, int other = 0) {
    Tokens all(static_cast<size_t>(n));
    std::iota(all.begin(), all.end(), 1000);
    for (size_t i = static_cast<size_t>(std::min(fork, n)); i < all.size(); i++) all[i] += 100000 * (1 + other);
    return all;
}

CacheKind this_kind() { return {"tiny", std::string(64, 'a'), "f16", "f16"}; }

/// A folder and what is stored there. The caches are all the same small one: which tokens a file is of is what counts.
struct Stored {
    TemporaryFolder temporary;
    fs::path path = temporary / "sessions";
    std::vector<std::string> said;

    SessionFolder::Options options(int64_t limit_bytes = 1'000'000'000) {
        SessionFolder::Options options;
        options.folder = path;
        options.limit_bytes = limit_bytes;
        options.wait_s = 0.1;
        options.note = [this](std::string_view line) { said.emplace_back(line); };
        return options;
    }

    static void write(const fs::path& target, const Tokens& tokens, const CacheKind& kind, const std::string& talk,
                      const std::function<void()>& before_naming = {}) {
        static const std::string buffer = make_engine_state({}).buffer;
        const std::string state = as_sequence_state(buffer, tokens);
        KvPackOptions pack;
        pack.model_sha256 = kind.model_sha256;
        pack.conversation = talk;
        pack.before_naming = before_naming;
        pack.n_threads = 1;
        pack_state({reinterpret_cast<const uint8_t*>(state.data()), state.size()}, "state", target, pack);
    }

    /// @return the file
    static fs::path store(SessionFolder& folder, const Tokens& tokens, const std::string& talk = "") {
        folder.store(tokens, !talk.empty(), [&](const fs::path& target, const std::function<void()>& before_naming) {
            write(target, tokens, this_kind(), talk, before_naming);
        });
        return folder.folder() / folder.file_name(tokens);
    }

    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& file : fs::directory_iterator(path)) names.push_back(file.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }
};

void set_age(const fs::path& file, int hours) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(hours));
}

std::string complaint(const std::function<void()>& run) {
    try {
        run();
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

int64_t shared(const std::optional<SessionFolder::Found>& found) { return found ? found->n_shared : 0; }

}  // namespace

TEST_CASE("the file with the longest beginning of a prompt is found, to the token, from one block on") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    const fs::path longest = Stored::store(folder, tokens(1100));
    const fs::path forked = Stored::store(folder, tokens(900, 600));
    const auto found = folder.find(tokens(2000), 4096);
    REQUIRE(found);
    CHECK(found->file == longest);
    CHECK(found->n_shared == 1100);
    CHECK(found->n_tokens == 1100);
    CHECK(folder.find(tokens(800, 600), 4096)->file == forked);
    CHECK(shared(folder.find(tokens(800, 600), 4096)) == 799);  // the last token is read in any case
    CHECK(shared(folder.find(tokens(800, 700), 4096)) == 700);
    CHECK(shared(folder.find(tokens(800, 599, 7), 4096)) == 599);
    CHECK(shared(folder.find(tokens(300), 4096)) == 299);
    CHECK(folder.find(tokens(800, 599, 7), 4096)->file == forked);  // both have as much: the smaller one
    CHECK_FALSE(folder.find(tokens(2000, 255), 4096));
    CHECK_FALSE(folder.find(tokens(200), 4096));
    CHECK(folder.find(tokens(2000), 1000)->n_shared == 600);  // the longest does not fit that context
}

TEST_CASE("caches of another model or of other types are no match, and no reason to complain") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    Stored::store(folder, tokens(600));
    CacheKind other_model = this_kind(), other_type = this_kind();
    other_model.model_sha256[0] = 'b';
    other_type.type_v = "q8_0";
    CHECK_FALSE(SessionFolder(other_model, stored.options()).find(tokens(600), 4096));
    CHECK_FALSE(SessionFolder(other_type, stored.options()).find(tokens(600), 4096));
    CHECK(SessionFolder(this_kind(), stored.options()).find(tokens(600), 4096));
    CHECK(SessionFolder(other_model, stored.options()).file_name(tokens(600)) != folder.file_name(tokens(600)));
    CHECK(stored.said.empty());
}

TEST_CASE("with a sliding window only a file whose every token is wanted helps") {
    Stored stored;
    SessionFolder::Options options = stored.options();
    options.whole_only = true;
    SessionFolder folder(this_kind(), options);
    const fs::path shorter = Stored::store(folder, tokens(520)), longer = Stored::store(folder, tokens(800));
    CHECK(fs::exists(shorter));
    CHECK(folder.find(tokens(900), 4096)->file == longer);
    CHECK(folder.find(tokens(700), 4096)->file == shorter);
    CHECK_FALSE(folder.find(tokens(520), 4096));
    CHECK_FALSE(folder.find(tokens(900, 500), 4096));
}

TEST_CASE("what goes on from a file takes its place, unless it is more than twice as long") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    const fs::path first = Stored::store(folder, tokens(400)), second = Stored::store(folder, tokens(700));
    CHECK_FALSE(fs::exists(first));
    const fs::path third = Stored::store(folder, tokens(1500)), fork = Stored::store(folder, tokens(1600, 1400));
    CHECK(fs::exists(second));
    CHECK(fs::exists(third));
    CHECK(fs::exists(fork));
}

TEST_CASE("the least recently used files make room, others' files are never removed") {
    Stored stored;
    fs::path a, b, c;
    int64_t size = 0;
    {
        SessionFolder folder(this_kind(), stored.options());
        a = Stored::store(folder, tokens(300, 0, 1));
        b = Stored::store(folder, tokens(300, 0, 2));
        c = Stored::store(folder, tokens(300, 0, 3));
        size = folder.size_bytes();
        CHECK(folder.use(a));
    }
    set_age(a, 1);
    set_age(b, 3);
    set_age(c, 2);
    Stored::write(stored.path / "mine.ekv", tokens(300, 0, 9), this_kind(), "");
    write_file(stored.path / "notes.txt", "kept");
    set_age(stored.path / "mine.ekv", 99);
    SessionFolder folder(this_kind(), stored.options(size + size / 6));  // room for three and a half
    const fs::path d = Stored::store(folder, tokens(300, 0, 4));
    CHECK_FALSE(fs::exists(b));
    CHECK(fs::exists(c));
    const fs::path e = Stored::store(folder, tokens(300, 0, 5));
    CHECK_FALSE(fs::exists(c));
    for (const fs::path& file : {a, d, e, stored.path / "mine.ekv", stored.path / "notes.txt"}) CHECK(fs::exists(file));
    CHECK(folder.size_bytes() <= size + size / 6);
    CHECK(folder.find(tokens(300, 0, 9), 4096));  // one of somebody's own is used all the same
}

TEST_CASE("a file in use stays, here and in another program, and using it makes it the youngest") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options()), other(this_kind(), stored.options());
    const fs::path a = Stored::store(other, tokens(300, 0, 1));  // in use by the other
    const fs::path b = Stored::store(folder, tokens(300, 0, 2));
    set_age(a, 9);
    SessionFolder third(this_kind(), stored.options(folder.size_bytes()));
    CHECK(folder.use(a));  // lets b go
    set_age(a, 9);
    const fs::path c = Stored::store(third, tokens(300, 0, 3));
    CHECK(fs::exists(a));
    CHECK_FALSE(fs::exists(b));
    CHECK_FALSE(folder.use(b));
    CHECK(other.use(c));
    CHECK(folder.use(a));
    const std::string message = complaint([&] { Stored::store(third, tokens(300, 0, 4)); });
    CHECK(message.find("does not fit the limit of") != std::string::npos);
    CHECK(message.find("--session-limit raises it") != std::string::npos);
    CHECK(fs::exists(a));
    CHECK(fs::exists(c));
    CHECK(stored.names().size() == 3);  // the lock too; no part
}

TEST_CASE("a session larger than the limit is not stored") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options(1000));
    CHECK(complaint([&] { Stored::store(folder, tokens(300)); }).find("does not fit the limit of") !=
          std::string::npos);
    CHECK(stored.names() == std::vector<std::string>{".lock"});
}

TEST_CASE("while another program writes, storing waits a moment and then fails, and leaves nothing") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    {
        const FolderLock lock(stored.path, 0);
        const std::string message = complaint([&] { Stored::store(folder, tokens(300)); });
        CHECK(message.find("another program has been writing there") != std::string::npos);
        CHECK(stored.names() == std::vector<std::string>{".lock"});
        install_interrupt_handler();
        std::raise(SIGINT);
        CHECK_THROWS_AS(FolderLock(stored.path, 60), Interrupted);
        clear_interrupt();
    }
    CHECK(fs::exists(Stored::store(folder, tokens(300))));
}

TEST_CASE("damaged and foreign files are skipped with a line each, and once") {
    Stored stored;
    fs::path file;
    {
        SessionFolder folder(this_kind(), stored.options());
        file = Stored::store(folder, tokens(600));
    }
    std::string bytes = read_file(file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(file, bytes);
    write_file(stored.path / "x.ekv", "no snapshot");
    fs::create_directory(stored.path / "folder.ekv");
    SessionFolder folder(this_kind(), stored.options());
    folder.refresh();
    REQUIRE(stored.said.size() == 2);
    std::sort(stored.said.begin(), stored.said.end());
    CHECK(stored.said[0].find("its index is damaged; this session is skipped") != std::string::npos);
    CHECK(stored.said[1].find("x.ekv: no .ekv: it does not begin as one; this session is skipped") !=
          std::string::npos);
    CHECK_FALSE(folder.find(tokens(600), 4096));
    Stored::store(folder, tokens(600));  // the damaged one is written again
    CHECK(folder.find(tokens(600), 4096));
}

TEST_CASE("parts that a killed program left are removed, one that is being written is not") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    const std::string left = "." + folder.file_name(tokens(300)) + ".ech0-part";
    write_file(stored.path / left, "half");
    write_file(stored.path / ".mine.ekv.ech0-part", "of somebody");
    AtomicFile written(stored.path / folder.file_name(tokens(400)));
    const SessionFolder next(this_kind(), stored.options());
    CHECK_FALSE(fs::exists(stored.path / left));
    CHECK(fs::exists(stored.path / ".mine.ekv.ech0-part"));
    CHECK(fs::exists(written.part()));
}

TEST_CASE("the last talk is found, and a talk replaces a cache of the same tokens") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options());
    CHECK_FALSE(folder.last_talk());
    Stored::store(folder, tokens(300));
    CHECK_FALSE(folder.last_talk());
    const fs::path first = Stored::store(folder, tokens(300), "{}");
    CHECK(folder.last_talk() == first);
    Stored::store(folder, tokens(300));  // it is there
    CHECK(folder.last_talk() == first);
    set_age(first, 1);
    const fs::path second = Stored::store(folder, tokens(30, 0), "{}");
    CHECK(folder.last_talk() == second);
}

TEST_CASE("what another program stored meanwhile is found after a look") {
    Stored stored;
    SessionFolder folder(this_kind(), stored.options()), other(this_kind(), stored.options());
    const fs::path file = Stored::store(other, tokens(300));
    CHECK_FALSE(folder.find(tokens(300), 4096));
    folder.refresh();
    CHECK(folder.find(tokens(300), 4096));
    fs::remove(file);
    folder.refresh();
    CHECK_FALSE(folder.find(tokens(300), 4096));
}

TEST_CASE("a folder that can't be made, read or locked is an error that names it") {
    Stored stored;
    write_file(stored.temporary / "file", "");
    SessionFolder::Options options = stored.options();
    options.folder = stored.temporary / "file";
    CHECK(complaint([&] { SessionFolder(this_kind(), options); }).find("make the folder") == 0);
    options.folder = stored.temporary / "file" / "below";
    CHECK(complaint([&] { SessionFolder(this_kind(), options); }).find("make the folder") == 0);
    SessionFolder folder(this_kind(), stored.options());
    fs::create_directory(stored.path / ".lock");
    CHECK(complaint([&] { Stored::store(folder, tokens(300)); }).find("lock ") == 0);
    fs::remove(stored.path / ".lock");
    const auto nothing = [](const fs::path&, const std::function<void()>& before_naming) { before_naming(); };
    CHECK(complaint([&] { folder.store(tokens(300), false, nothing); }).find("look at ") == 0);
    fs::remove_all(stored.path);
    CHECK(complaint([&] { folder.refresh(); }).find("read ") == 0);
}
