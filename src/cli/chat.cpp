#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/line_reader.h"
#include "ech0/error.h"
#include "ech0/units.h"
#include "install/config.h"
#include "machine/budget.h"
#include "report/chat.h"
#include "runtime/conversation.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    std::optional<std::string> prompt;
    SessionOptions session;
    ConversationOptions conversation;
    bool json = false;
};

bool is_terminal(int file_descriptor) { return isatty(file_descriptor) == 1; }

void note(std::string_view text) { fmt::print(stderr, "{}\n", text); }
void warn(std::string_view text) { note("ech0: " + printable(text, 4000)); }

std::string read_stdin() {
    std::string text;
    char buffer[1 << 16];
    while (const size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) {
        text.append(buffer, n);
        check_interrupt();
    }
    if (std::ferror(stdin) != 0) throw FileError("can't read the prompt from stdin");
    if (text.ends_with('\n')) text.pop_back();  // of the echo or the editor, not of the prompt
    return text;
}

// The one prompt to answer; nothing if a person is there to talk.
std::optional<std::string> one_prompt(const Arguments& arguments) {
    const bool from_stdin = arguments.prompt ? *arguments.prompt == "-" : !is_terminal(STDIN_FILENO);
    std::optional<std::string> prompt = from_stdin ? read_stdin() : arguments.prompt;
    if (prompt && prompt->empty()) throw UsageError("the prompt is empty; give one by -p TEXT or on stdin");
    if (!prompt && arguments.json) throw UsageError("--json answers one prompt; give it by -p TEXT or on stdin");
    return prompt;
}

// A model may say anything, also what a terminal would obey.
std::string for_terminal(std::string_view text) {
    std::string safe;
    std::copy_if(text.begin(), text.end(), std::back_inserter(safe), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte >= 0x20 && byte != 0x7F) || c == '\n' || c == '\t';
    });
    return safe;
}

// The answer on stdout as it comes, with one newline behind it.
Answer print_answer(Conversation& conversation, std::string_view prompt) {
    const bool to_terminal = is_terminal(STDOUT_FILENO);
    bool open_line = true;
    Answer answer = conversation.ask(prompt, [&](std::string_view text) {
        print(to_terminal ? for_terminal(text) : std::string(text));
        open_line = text.back() != '\n';
    });
    if (open_line) print("\n");
    return answer;
}

int answer_once(const Model& model, Conversation& conversation, const std::string& prompt, bool json) {
    const Answer answer = json ? conversation.ask(prompt) : print_answer(conversation, prompt);
    if (answer.stop == Stop::interrupted) throw Interrupted();
    if (json) print(json_text(chat_json(model, conversation, answer)));
    if (answer.stop == Stop::context_full)
        warn(
            fmt::format("the answer is cut: the context of {} tokens is full; --ctx makes it larger, --context-shift "
                        "forgets the oldest tokens",
                        conversation.session().n_ctx()));
    if (is_terminal(STDERR_FILENO) && !json) note("[" + answer_text(conversation, answer) + "]");
    return exit_yes;
}

constexpr const char* help_text =
    "  /stats   context, tokens and speed so far\n"
    "  /clear   forget what was said, keep the system prompt\n"
    "  /exit    leave; so does Ctrl-D\n"
    "  Ctrl-C   stop an answer";

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

std::string stats_text(const Conversation& conversation, const Totals& totals) {
    return fmt::format(
        "  context   {} of {} tokens, {} forgotten\n"
        "  answers   {}, {} tokens, {:.1f} tokens/s\n"
        "  read      {} tokens, {:.1f} tokens/s\n"
        "  seed      {}",
        format_count(conversation.session().n_past()), format_count(conversation.session().n_ctx()),
        format_count(totals.n_forgotten), format_count(totals.n_answers), format_count(totals.n_tokens),
        Totals::rate(totals.n_tokens, totals.answer_s), format_count(totals.n_read),
        Totals::rate(totals.n_read, totals.prompt_s), conversation.seed());
}

/// A person at a terminal.
class Talk {
public:
    explicit Talk(Conversation& conversation) : conversation_(conversation) {}

    int run() {
        while (const std::optional<std::string> line = next_line()) {
            if (*line == "/exit") return exit_yes;
            if (line->starts_with("/"))
                command(*line);
            else if (!line->empty())
                answer(*line);
        }
        return left_by_interrupt_ ? exit_interrupted : exit_yes;
    }

private:
    // Ctrl-C at the prompt asks for a second one, so that the one that came too late for an answer doesn't end the
    // talk.
    std::optional<std::string> next_line() {
        for (bool warned = false;; warned = true) {
            try {
                fmt::print(stderr, "> ");
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
        if (line == "/help")
            note(help_text);
        else if (line == "/stats")
            note(stats_text(conversation_, totals_));
        else if (line == "/clear")
            conversation_.clear();
        else
            note(fmt::format("no command {}; there are\n{}", printable(line), help_text));
    }

    void answer(const std::string& line) {
        try {
            const Answer answer = print_answer(conversation_, line);
            totals_.add(answer);
            if (answer.stop == Stop::interrupted) go_on_after_interrupt();
            if (is_terminal(STDERR_FILENO)) note("[" + answer_text(conversation_, answer) + "]");
        } catch (const UsageError& error) {  // too long for the context: nothing was said, the talk can go on
            warn(error.what());
        }
    }

    Conversation& conversation_;
    LineReader lines_{STDIN_FILENO};
    Totals totals_;
    bool left_by_interrupt_ = false;
};

int chat(const Arguments& arguments) {
    check(arguments.conversation);
    const Config config = read_config();
    const std::optional<std::string> prompt = one_prompt(arguments);
    const Model model = read_model(model_or_configured(arguments.model, config));
    SessionOptions options = arguments.session;
    options.n_outputs = 1;
    options.mapped = !fits_memory(model);
    Session session(model, options);
    Conversation conversation(session, arguments.conversation);
    check_interrupt();
    if (session.n_ctx() > model.n_ctx_train)
        warn(fmt::format("a context of {} tokens; the model was trained on {} and may lose the thread", session.n_ctx(),
                         model.n_ctx_train));
    if (prompt) return answer_once(model, conversation, *prompt, arguments.json);
    note(fmt::format("{}, {}, context of {} tokens. /help lists commands, Ctrl-C stops an answer.",
                     printable(model.name.empty() ? model.files.front().filename().string() : model.name),
                     format_disk(model.size_bytes), format_count(session.n_ctx())));
    return Talk(conversation).run();
}

void add_sampler_options(CLI::App* command, SamplerOptions& sampler) {
    command->add_option("--temp,--temperature", sampler.temp, "0: always the likeliest token; higher: more varied")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--top-k", sampler.top_k, "choose among this many likeliest tokens (0: all)")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("--top-p", sampler.top_p,
                     "choose among the likeliest that together have this probability (1: all)")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("--min-p", sampler.min_p,
                     "leave out what is less likely than this share of the likeliest (0: none)")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("--repeat-penalty", sampler.repeat_penalty,
                     "make tokens that were just used less likely (1: don't)")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--repeat-last-n", sampler.repeat_last_n, "how many tokens count as just used")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("-s,--seed", sampler.seed, "the same seed gives the same answer (-1: another one each time)")
        ->type_name("N")
        ->capture_default_str();
}

}  // namespace

void add_chat(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "chat", "talk to a model, or get one answer",
                    "  ech0 chat demo                                       a talk\n"
                    "  ech0 chat model.gguf -p 'Why is the sky blue?'       one answer, alone on stdout\n"
                    "  git diff | ech0 chat model.gguf --system 'Write a commit message for this diff.'\n"
                    "  ech0 chat model.gguf -p 'Once upon a time' --raw -n 100 --temp 0",
                    [arguments] { return chat(*arguments); });
    ConversationOptions& conversation = arguments->conversation;
    add_model_or_configured(command, arguments->model);
    command->add_option("-p,--prompt", arguments->prompt,
                        "answer this and end; '-' reads it from stdin, as does a stdin that is no terminal");
    command->add_option("--system,--system-prompt", conversation.system,
                        "how the model should behave, kept at the beginning of the context");
    command
        ->add_option("-n,--predict,--n-predict", conversation.n_predict, "most tokens of an answer (-1: until it ends)")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("-c,--ctx,--ctx-size", arguments->session.n_ctx,
                     "tokens of context (default: the model's own, at most 4096)")
        ->type_name("N");
    command->add_flag("--context-shift", conversation.context_shift,
                      "at the end of the context forget the oldest turns instead of stopping");
    command->add_flag("--raw,--no-template", conversation.raw, "no chat template: the model goes on with the text");
    add_sampler_options(command, conversation.sampler);
    add_threads(command, arguments->session.n_threads);
    add_json(command, arguments->json);
}

}  // namespace ech0
