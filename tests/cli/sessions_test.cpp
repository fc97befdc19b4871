// Talks that are kept, in .ekv files and in folders, by the real program.

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "kv/session_folder.h"
#include "support/run.h"
#include "support/store_tree.h"
#include "support/temporary_folder.h"
#include "support/terminal.h"
#include "support/tiny_model.h"

using namespace ech0;
using nlohmann::json;

namespace {

std::vector<std::string> chat_command(const std::string& model, const std::vector<std::string>& more) {
    std::vector<std::string> command = {"chat", model, "--temp", "0", "--threads", "1", "-n", "24"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
}

Finished chat(const std::string& model, const std::vector<std::string>& more) {
    return run_ech0(chat_command(model, more));
}

json answer_of(const Finished& ran) {
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    return json::parse(ran.out);
}

std::string tiny(const TemporaryFolder& folder, const std::string& name, uint64_t seed) {
    write_tiny_model({.n_ctx_train = 4096, .seed = seed}, folder / name);
    return (folder / name).string();
}

/// As if a model that bears it had been measured.
void say_it_holds(const std::filesystem::path& measurements) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(measurements)) {
        if (!entry.is_regular_file()) continue;
        json kept = json::parse(read_file(entry.path()));
        for (json& result : kept["results"]) result["holds"] = true;
        write_file(entry.path(), kept.dump());
    }
}

/// A talk of one message that is saved to the files; then, if there is one, another message.
/// @return what the screen showed
std::string talk(const std::string& model, const std::string& message, const std::vector<std::string>& files,
                 const std::string& next = "") {
    std::vector<std::string> command = chat_command(model, {"--ctx", "1024"});
    command.insert(command.begin(), ECH0_BINARY);
    Terminal terminal(command);
    terminal.wait_for("> ");
    terminal.type(message + "\n");
    terminal.wait_for("]\r\n> ");
    for (const std::string& file : files) {
        terminal.type("/save " + file + "\n");
        terminal.wait_for("/load ");
        terminal.wait_for("> ");
    }
    if (!next.empty()) {
        terminal.type(next + "\n");
        terminal.wait_for("]\r\n> ");
    }
    terminal.type("/exit\n");
    CHECK(terminal.wait_for_end() == 0);
    return terminal.screen();
}

std::string damaged(std::string file, size_t at) {
    file[at] = static_cast<char>(file[at] ^ 1);
    return file;
}

}  // namespace

TEST_CASE("a talk saved with its cache goes on as if it had never stopped, and nothing is read again") {
    const TemporaryFolder folder;
    const std::string ekv = (folder / "talk.ekv").string(), plain = (folder / "talk.json").string();
    talk("demo", "What is the capital of France?", {ekv, plain, (folder / "next").string()}, "And of Italy?");

    const auto resumed = [&](const std::string& file) {
        return answer_of(chat("demo", {"--ctx", "1024", "--resume", file, "-p", "And of Italy?", "--json"}));
    };
    const json with_cache = resumed(ekv), without = resumed(plain);
    CHECK(with_cache["messages"].size() == 4);
    CHECK(with_cache["answer"].get<std::string>().find("Rome") != std::string::npos);
    CHECK(with_cache["answer"] == without["answer"]);
    const int n_before = with_cache["n_restored_tokens"];
    CHECK(n_before > 20);  // the message, its template and the answer
    CHECK(with_cache["n_reused_tokens"] == n_before);
    CHECK(with_cache["n_prompt_tokens"] == without["n_prompt_tokens"]);
    CHECK(with_cache["restore_s"] > 0.0);
    CHECK(without["n_reused_tokens"] == 0);
    CHECK(without["n_restored_tokens"] == 0);
    CHECK(without["restore_s"] == 0.0);

    const Finished text = chat("demo", {"--ctx", "1024", "--resume", ekv, "-p", "And of Italy?"});
    CHECK(text.out == with_cache["answer"].get<std::string>() + "\n");
    CHECK(text.err.find("2 messages, " + std::to_string(n_before) + " tokens restored in ") == 0);
}

TEST_CASE("a saved talk is refused by another model, and where it is damaged") {
    const TemporaryFolder folder;
    const std::string model = tiny(folder, "a.gguf", 1), other = tiny(folder, "b.gguf", 2);
    const std::string ekv = (folder / "talk.ekv").string();
    talk(model, "Hello", {ekv});
    const std::string whole = read_file(ekv);
    const auto refused = [&](const std::string& by, const std::string& file, const std::string& why) {
        const Finished ran = chat(by, {"--resume", file, "-p", "And?"});
        CAPTURE(ran.err);
        CHECK(ran.status == 2);
        CHECK(ran.out == "");
        CHECK(count_lines(ran.err) == 1);
        CHECK(ran.err.find(why) != std::string::npos);
    };
    refused(other, ekv, "not of this model");
    refused(model, (folder / "none.ekv").string(), "No such file");
    write_file(folder / "d.ekv", damaged(whole, 100));
    refused(model, (folder / "d.ekv").string(), "block 0 (K of layer 0) is damaged");
    write_file(folder / "d.ekv", damaged(whole, whole.size() - 1));
    refused(model, (folder / "d.ekv").string(), "its index is damaged");
    write_file(folder / "d.ekv", whole.substr(0, whole.size() / 2));
    refused(model, (folder / "d.ekv").string(), "cut off");
    write_file(folder / "d.ekv", "{}");
    refused(model, (folder / "d.ekv").string(), "no .ekv");
}

TEST_CASE("where only the messages of a saved talk can be used, that is said and they are read again") {
    const TemporaryFolder folder;
    const std::string model = tiny(folder, "a.gguf", 1), ekv = (folder / "talk.ekv").string();
    talk(model, "Hello", {ekv});
    const Finished quantized = chat(model, {"--kv", "bf16", "--ctx", "1024", "--resume", ekv, "-p", "And?", "--json"});
    const json answer = answer_of(quantized);
    CHECK(answer["n_reused_tokens"] == 0);
    CHECK(answer["messages"].size() == 4);
    CHECK(count_lines(quantized.err) == 1);
    CHECK(quantized.err.find("its cache is f16, this context's bf16 (--kv f16): its messages are used") !=
          std::string::npos);
}

namespace {

/// Chats that share a folder, and what the answers took.
struct Folder {
    TemporaryFolder temporary;
    std::string model = tiny(temporary, "a.gguf", 1), path = (temporary / "sessions").string(),
                document = std::string(900, 'x');  // a token a letter

    std::vector<std::string> arguments(const std::string& question, const std::vector<std::string>& more = {}) const {
        std::vector<std::string> all = {"--ctx", "2048", "--session-dir", path, "-p", document + question, "--json"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    Finished ask(const std::string& question, const std::vector<std::string>& more = {}) const {
        return chat(model, arguments(question, more));
    }
    std::vector<std::filesystem::path> files() const {
        std::vector<std::filesystem::path> files;
        for (const auto& file : std::filesystem::directory_iterator(path))
            if (file.path().filename() != ".lock") files.push_back(file.path());
        return files;
    }
};

}  // namespace

TEST_CASE("with a folder of sessions a document is read once, and the answer is the one that reading it again gives") {
    const Folder folder;
    const json first = answer_of(folder.ask(" What is this?"));
    CHECK(first["n_reused_tokens"] == 0);
    CHECK(first["n_restored_tokens"] == 0);
    CHECK(folder.files().size() == 1);
    const Finished ran = folder.ask(" And that?");
    const json second = answer_of(ran);
    CHECK(second["n_restored_tokens"] > 900);
    CHECK(second["n_reused_tokens"] == second["n_restored_tokens"]);
    CHECK(second["n_reused_tokens"] < second["n_prompt_tokens"]);
    CHECK(second["restore_s"] > 0.0);
    CHECK(count_lines(ran.err) == 1);
    CHECK(ran.err.find(" tokens restored from a session in ") != std::string::npos);
    CHECK(folder.files().size() == 1);  // too little was new
    const json alone = answer_of(chat(folder.model, {"--ctx", "2048", "-p", folder.document + " And that?", "--json"}));
    CHECK(alone["answer"] == second["answer"]);
    CHECK(alone["n_reused_tokens"] == 0);

    const std::string other = tiny(folder.temporary, "b.gguf", 2);
    CHECK(answer_of(chat(other, folder.arguments(" And that?")))["n_restored_tokens"] == 0);
    CHECK(answer_of(folder.ask(" And that?", {"--kv", "bf16"}))["n_restored_tokens"] == 0);
    CHECK(folder.files().size() == 3);
}

TEST_CASE("a talk is kept in the folder when it ends, and goes on by --resume with or without a name") {
    const TemporaryFolder temporary;
    const std::string folder = (temporary / "new" / "sessions").string();
    const auto command = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words = chat_command("demo", {"--ctx", "1024", "--session-dir", folder});
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    const Finished none = run_ech0(command({"--resume", "-p", "And of Italy?"}));
    CHECK(none.status == 2);
    CHECK(none.err.find("no talk with this model and cache is kept there") != std::string::npos);
    std::vector<std::string> words = command({});
    words.insert(words.begin(), ECH0_BINARY);
    Terminal terminal(words);
    terminal.wait_for("> ");
    terminal.type("What is the capital of France?\n");
    terminal.wait_for("]\r\n> ");
    terminal.type("/exit\n");
    CHECK(terminal.wait_for_end() == 0);
    CHECK(terminal.screen().find("--resume' goes on") != std::string::npos);

    const json resumed = answer_of(run_ech0(command({"--resume", "-p", "And of Italy?", "--json"})));
    CHECK(resumed["messages"].size() == 4);
    CHECK(resumed["answer"].get<std::string>().find("Rome") != std::string::npos);
    CHECK(resumed["n_restored_tokens"] > 20);
    const json last = answer_of(run_ech0(command({"--resume", "-p", "And of Spain?", "--json"})));
    CHECK(last["messages"].size() == 6);  // the answer to a resumed talk is kept too
    CHECK(last["n_restored_tokens"] > resumed["n_restored_tokens"]);

    for (const auto& file : std::filesystem::directory_iterator(folder))
        if (file.path().extension() == ".ekv")
            std::filesystem::rename(file, temporary / "new" / "sessions" / "paris.ekv");
    CHECK(answer_of(run_ech0(command({"--resume", "paris", "-p", "Thanks", "--json"})))["messages"].size() == 8);
    CHECK(run_ech0(command({"--resume", "rome", "-p", "Thanks"})).err.find("rome: No such file") != std::string::npos);
    const Finished nameless = chat("demo", {"--resume", "-p", "Thanks"});
    CHECK(nameless.status == 2);
    CHECK(nameless.err.find("Name its file, or the folder it is in by --session-dir") != std::string::npos);
    const Finished system = chat("demo", {"--resume", "x.ekv", "--system", "Be brief.", "-p", "x"});
    CHECK(system.status == 2);
}

TEST_CASE("a damaged session is passed over with a line, and a full disk or a small limit costs the session alone") {
    const Folder folder;
    answer_of(folder.ask(" What?"));
    const std::filesystem::path file = folder.files().front();
    write_file(file, damaged(read_file(file), 100));
    const Finished ran = folder.ask(" And?");
    CHECK(answer_of(ran)["n_restored_tokens"] == 0);
    CHECK(ran.err.find("block 0 (K of layer 0) is damaged") != std::string::npos);
    CHECK(ran.err.find("; the prompt is read instead") != std::string::npos);

    std::filesystem::remove_all(folder.path);
    const Finished small = folder.ask(" What?", {"--session-limit", "1kB"});
    CHECK(answer_of(small)["n_restored_tokens"] == 0);
    CHECK(count_lines(small.err) == 1);
    CHECK(small.err.find("this session is not kept: ") != std::string::npos);
    CHECK(small.err.find("does not fit the limit of 1.0 kB") != std::string::npos);
    CHECK(folder.files().empty());
#ifdef ECH0_FAULTS
    std::vector<std::string> command = chat_command(folder.model, folder.arguments(" What?"));
    RunOptions options;
    options.environment = {{"LD_PRELOAD", ECH0_FAULTS}, {"ECH0_FAULT", "write:2:ENOSPC"}};
    const Finished full = run_ech0(command, options);
    CHECK(answer_of(full)["n_answer_tokens"] == 24);
    CHECK(full.err.find("this session is not kept: write ") != std::string::npos);
    CHECK(full.err.find("the disk is full") != std::string::npos);
    CHECK(folder.files().empty());
    options.environment["ECH0_FAULT"] = "write:2:kill";
    CHECK(run_ech0(command, options).signal == 9);
    CHECK(folder.files().size() == 1);  // the part
    CHECK(answer_of(folder.ask(" What?"))["n_restored_tokens"] == 0);
    REQUIRE(folder.files().size() == 1);
    CHECK(folder.files().front().extension() == ".ekv");
#endif
}

TEST_CASE(
    "while another program holds the folder's lock a chat answers, says that nothing is kept, and leaves nothing") {
    const Folder folder;
    std::filesystem::create_directories(folder.path);
    const FolderLock lock(folder.path, 0);
    const Finished ran = folder.ask(" What?");
    CHECK(answer_of(ran)["n_answer_tokens"] == 24);
    CHECK(ran.err ==
          "ech0: this session is not kept: " + folder.path + ": another program has been writing there for 2 s\n");
    CHECK(folder.files().empty());
}

TEST_CASE("two chats share a folder, and a third takes what either has read") {
    const Folder folder;
    const std::string script = R"(ask() {
        "$ECH0" chat "$0" --temp 0 --threads 1 -n 4 --ctx 2048 --session-dir "$FOLDER" -p "$1" --json > "$2"
    }
    ask "$1 one" "$2" &
    ask "y$1 two" "$3"
    wait)";
    const std::string one = (folder.temporary / "1").string(), two = (folder.temporary / "2").string();
    RunOptions options;
    options.environment = {{"ECH0", ECH0_BINARY}, {"FOLDER", folder.path}};
    const Finished ran = run({"sh", "-c", script, folder.model, folder.document, one, two}, options);
    CHECK(ran.err == "");
    CHECK(json::parse(read_file(one))["n_answer_tokens"] == 4);
    CHECK(json::parse(read_file(two))["n_answer_tokens"] == 4);
    CHECK(folder.files().size() == 2);
    CHECK(answer_of(folder.ask(" three"))["n_restored_tokens"] > 900);
    CHECK(answer_of(chat(folder.model, {"--ctx", "2048", "--session-dir", folder.path, "-p",
                                        "y" + folder.document + " four", "--json"}))["n_restored_tokens"] > 900);
}

TEST_CASE("a folder of sessions that can't be had is one line and exit 2, and a limit needs a folder") {
    const TemporaryFolder folder;
    const std::string model = tiny(folder, "a.gguf", 1);
    const Finished ran = chat(model, {"--session-dir", model, "-p", "x"});
    CHECK(ran.status == 2);
    CHECK(ran.err.find("make the folder " + model + ": ") != std::string::npos);
    CHECK(count_lines(ran.err) == 1);
    CHECK(chat(model, {"--session-limit", "1GB", "-p", "x"}).status == 2);
}

TEST_CASE("a saved talk is packed smaller, with its messages, and goes on") {
    const TemporaryFolder folder;
    const std::string model = tiny(folder, "m.gguf", 1), saved = (folder / "a.ekv").string(),
                      small = (folder / "b.ekv").string();
    talk(model, "One two three four five six seven eight nine ten.", {saved});
    const Finished packed = run_ech0({"kv", "pack", saved, "-o", small, "--threads", "1"});
    CAPTURE(packed.err);
    REQUIRE(packed.status == 0);
    CHECK(std::filesystem::file_size(small) < std::filesystem::file_size(saved));
    const auto go_on = [&](const std::string& file) {
        return answer_of(chat(model, {"--ctx", "1024", "--resume", file, "-p", "And on?", "--json"}));
    };
    const json answer = go_on(small), plain = go_on(saved);
    CHECK(answer["n_restored_tokens"] > 10);
    CHECK(answer["n_restored_tokens"] == plain["n_restored_tokens"]);
    CHECK(answer["messages"] == plain["messages"]);
    CHECK(run_ech0({"kv", "pack", small, "-o", (folder / "c.ekv").string(), "--model", tiny(folder, "n.gguf", 2)})
              .err.find("not of") != std::string::npos);
    write_file(folder / "numbers", std::string(4000, 'x'));
    REQUIRE(run_ech0({"kv", "pack", (folder / "numbers").string(), "--raw", "f32:100"}).status == 0);
    CHECK(run_ech0({"kv", "pack", (folder / "numbers.ekv").string(), "-o", (folder / "d.ekv").string()})
              .err.find("rows of numbers, packed already") != std::string::npos);
}

TEST_CASE("a talk that forgets by --kv-keep: measured first, longer than its context, saved as messages alone") {
    const EmptyHome home;
    const std::filesystem::path& folder = home.folder.path();
    TinyModel shape;
    shape.n_embd = 128, shape.n_head = 2, shape.n_head_kv = 1, shape.n_embd_head = 64, shape.n_ctx_train = 4096;
    write_tiny_model(shape, folder / "m.gguf");
    const RunOptions here{.folder = folder};
    const std::vector<std::string> ask = {
        "chat",      "m.gguf", "--raw", "--temp", "0",  "--threads",           "1",
        "-n",        "20",     "--ctx", "512",    "-p", std::string(700, 'x'), "--json",
        "--kv-keep", "384"};
    const Finished unmeasured = run_ech0(ask, here);
    CHECK(unmeasured.status == 2);
    CHECK(unmeasured.err ==
          "ech0: --kv-keep 384: what forgetting down to 384 of 512 tokens costs this model was not measured: 'ech0 kv "
          "keep "
          "m.gguf --ctx 512 --keep 384'\n");
    run_ech0({"kv", "profile", "m.gguf", "--ctx", "128", "--chunks", "3", "--threads", "1"}, here);
    const Finished measured =
        run_ech0({"kv", "keep", "m.gguf", "--ctx", "512", "--keep", "384", "--threads", "1"}, here);
    CAPTURE(measured.out + measured.err);
    REQUIRE(measured.status == 1);  // a random model attends to everything
    CHECK(measured.out.find("1024 read through it") != std::string::npos);
    const Finished bad = run_ech0(ask, here);
    CHECK(bad.status == 2);
    CHECK(bad.err.find("--kv-keep 384: it does not hold with this model and 512 tokens of context (measured: KL") !=
          std::string::npos);
    say_it_holds(home / "ech0-cache/kv-keeps");
    const Finished ran = run_ech0(ask, here);
    CAPTURE(ran.err);
    REQUIRE(ran.status == 0);
    const json answer = json::parse(ran.out);
    CHECK(answer["n_forgotten_tokens"] >= 128);
    CHECK(answer["n_cells"] <= 512);
    CHECK(answer["n_past"] > 512);
    CHECK(answer["n_past"].get<int64_t>() - answer["n_cells"].get<int64_t>() == answer["n_forgotten_tokens"]);

    std::vector<std::string> command = {
        ECH0_BINARY, "chat", (folder / "m.gguf").string(), "--temp", "0", "-n", "8", "--threads", "1", "--ctx", "512",
        "--kv-keep", "384"};
    Terminal terminal(command);
    terminal.wait_for("> ");
    terminal.type(std::string(700, 'x') + "\n");
    terminal.wait_for("tokens forgotten");
    terminal.wait_for("> ");
    terminal.type("/save " + (folder / "a.ekv").string() + "\n");
    terminal.wait_for("were forgotten (--kv-keep), so the cache is not theirs");
    terminal.wait_for("> ");
    terminal.type("/save " + (folder / "a.json").string() + "\n");
    terminal.wait_for("2 messages");
    terminal.type("/exit\n");
    CHECK(terminal.wait_for_end() == 0);
    CHECK_FALSE(std::filesystem::exists(folder / "a.ekv"));
}
