#include "cli/dialogue.h"

#include <cstdio>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/paths.h"
#include "base/text.h"
#include "cli/line_reader.h"
#include "cli/talk_file.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "report/chat.h"

namespace ech0 {
namespace {

void note(std::string_view text) { fmt::print(stderr, "{}\n", text); }
void warn(std::string_view text) { note("ech0: " + printable(text, 4000)); }

constexpr const char* help_text =
    "  /system TEXT   another system prompt; without TEXT: show it, 'none' removes it\n"
    "  /save FILE     write the conversation: FILE.ekv with the model's memory of it, others as JSON\n"
    "  /load FILE     go on with one that was saved\n"
    "  /regen         answer the last message again\n"
    "  /clear         forget what was said, keep the system prompt\n"
    "  /model MODEL   go on with another model\n"
    "  /thoughts      what the model thought before its last answer\n"
    "  /stats         context, tokens and speed so far\n"
    "  /exit          leave; so does Ctrl-D\n"
    "  Ctrl-C         stop an answer\n"
    "  a line that ends in \\ goes on in the next; lines between two of \"\"\" are one message";

// What all answers of a talk took together.
struct Totals {
    int64_t n_answers = 0, n_tokens = 0, n_read = 0, n_forgotten = 0;
    double prompt_s = 0, answer_s = 0;

    void add(const Answer& answer) {
        n_answers++;
        n_tokens += answer.n_tokens;
        n_read += answer.n_prompt - answer.n_reused;
        n_forgotten += answer.n_forgotten;
        prompt_s += answer.prompt_s;
        answer_s += answer.answer_s;
    }
    static double rate(int64_t n, double seconds) { return seconds > 0 ? static_cast<double>(n) / seconds : 0; }
};

std::string stats_text(const Answering& answering, const Totals& totals) {
    const Conversation& conversation = *answering.conversation;
    return fmt::format(
        "  context   {} of {} tokens, {} forgotten, {} cache\n"
        "  answers   {}, {} tokens, {:.1f} tokens/s\n"
        "  read      {} tokens, {:.1f} tokens/s\n"
        "  seed      {}",
        format_count(conversation.session().n_cells()), format_count(conversation.session().n_ctx()),
        format_count(totals.n_forgotten), answering.run.plan.kv_type, format_count(totals.n_answers),
        format_count(totals.n_tokens), Totals::rate(totals.n_tokens, totals.answer_s), format_count(totals.n_read),
        Totals::rate(totals.n_read, totals.prompt_s), conversation.seed());
}

std::string greeting(const Answering& answering) {
    const Model& model = answering.model;
    return fmt::format("{}, {}, context of {} tokens. /help lists commands, Ctrl-C stops an answer.",
                       printable(model.name.empty() ? model.files.front().filename().string() : model.name),
                       format_disk(model.size_bytes), format_count(answering.session->n_ctx()));
}

class Dialogue {
public:
    Dialogue(Answering answering, KeptTalks& kept, const RunOptions& options, const Config& config, Thoughts thoughts,
             bool keep_history)
        : answering_(std::move(answering)),
          kept_(kept),
          options_(options),
          config_(config),
          thoughts_(thoughts),
          lines_(keep_history ? state_folder() / "chat_history" : "") {}

    int run() {
        const int code = talk();
        kept_.finish(answering_);
        return code;
    }

private:
    int talk() {
        note(greeting(answering_));
        while (const std::optional<std::string> line = next_line()) {
            if (*line == "/exit" || *line == "/quit") return exit_yes;
            try {
                if (line->starts_with("/") && line->find('\n') == std::string::npos)
                    command(*line);
                else if (!line->empty())
                    answer(*line);
            } catch (const Error& error) {  // of one command or message: the talk can go on
                warn(error.what());
            }
        }
        return left_by_interrupt_ ? exit_interrupted : exit_yes;
    }

    Conversation& conversation() { return *answering_.conversation; }

    // Ctrl-C at the prompt asks for a second one, so that the one that came too late for an answer doesn't end the
    // talk.
    std::optional<std::string> next_line() {
        for (bool warned = false;; warned = true) {
            try {
                return lines_.next();
            } catch (const Interrupted&) {
                go_on_after_interrupt();
                left_by_interrupt_ = warned;
                note(warned ? "" : "\n(Ctrl-C again leaves, and so does /exit)");
                if (warned) return std::nullopt;
            }
        }
    }

    static void go_on_after_interrupt() {
        clear_interrupt();
        check_interrupt();  // SIGTERM stays
    }

    void command(const std::string& line) {
        const size_t blank = std::min(line.find(' '), line.size());
        const std::string name = line.substr(0, blank);
        const size_t at = line.find_first_not_of(' ', blank);
        const std::string argument = at == std::string::npos ? "" : line.substr(at);
        const std::map<std::string, std::function<void()>> commands = {
            {"/help", [] { note(help_text); }},
            {"/stats", [&] { note(stats_text(answering_, totals_)); }},
            {"/clear", [&] { conversation().clear(); }},
            {"/thoughts", [&] { note(last_thoughts_.empty() ? "(none)" : printable_lines(last_thoughts_)); }},
            {"/system", [&] { system(argument); }},
            {"/save", [&] { save(argument); }},
            {"/load", [&] { load(argument); }},
            {"/regen", [&] { regenerate(); }},
            {"/model", [&] { change_model(argument); }},
        };
        const auto found = commands.find(name);
        if (found == commands.end())
            note(fmt::format("no command {}; there are\n{}", printable(name), help_text));
        else
            found->second();
    }

    static std::string printable_lines(const std::string& text) {
        std::string shown;
        for (size_t at = 0; at < text.size();) {
            const size_t end = std::min(text.find('\n', at), text.size());
            shown += (shown.empty() ? "" : "\n") + printable(text.substr(at, end - at), 100000);
            at = end + 1;
        }
        return shown;
    }

    void system(const std::string& text) {
        if (!text.empty()) conversation().set_system(text == "none" ? "" : text);
        const std::string& now = conversation().options().system;
        note(now.empty() ? "(no system prompt)" : "system prompt: " + printable(now, 4000));
    }

    void save(const std::string& file) {
        if (file.empty()) throw UsageError("/save FILE: which file?");
        note(save_talk(answering_, file));
    }

    void load(const std::string& file) {
        if (file.empty()) throw UsageError("/load FILE: which file?");
        kept_.finish(answering_);
        note(load_talk(answering_, file));
    }

    void regenerate() {
        const std::optional<std::string> message = conversation().take_back();
        if (!message) throw UsageError("/regen: nothing was said yet");
        note("> " + printable(*message, 4000));
        answer(*message);
    }

    // The old model leaves first: two may not fit. What was said stays.
    void change_model(const std::string& name) {
        if (name.empty()) throw UsageError("/model MODEL: which model? 'ech0 models' lists them");
        const std::string before = answering_.model.asked;
        const std::vector<ChatMessage> messages = conversation().messages();
        const ConversationOptions talk = conversation().options();
        read_model(name).require_weights();  // a wrong name costs nothing
        kept_.finish(answering_);
        const auto change = [&](const std::string& model) {
            answering_.conversation.reset();
            answering_.session.reset();
            answering_ = Answering(model, options_, config_, talk);
            conversation().set_messages(messages);
            kept_.attach(answering_);
        };
        try {
            change(name);
        } catch (const Error& error) {
            warn(error.what());
            change(before);
        }
        note(greeting(answering_));
    }

    void answer(const std::string& line) {
        const Answer answer = print_answer(conversation(), line, thoughts_);
        totals_.add(answer);
        last_thoughts_ = answer.thoughts;
        if (answer.stop == Stop::interrupted) go_on_after_interrupt();
        if (isatty(STDERR_FILENO) == 1) note("[" + answer_text(conversation(), answer) + "]");
        kept_.after_answer(answering_, true);
    }

    Answering answering_;
    KeptTalks& kept_;
    RunOptions options_;
    const Config& config_;
    Thoughts thoughts_;
    LineReader lines_;
    Totals totals_;
    std::string last_thoughts_;
    bool left_by_interrupt_ = false;
};

}  // namespace

int talk_at_terminal(Answering answering, KeptTalks& kept, const RunOptions& options, const Config& config,
                     Thoughts thoughts, bool keep_history) {
    return Dialogue(std::move(answering), kept, options, config, thoughts, keep_history).run();
}

}  // namespace ech0
