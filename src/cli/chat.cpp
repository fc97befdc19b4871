#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "cli/answering.h"
#include "cli/commands.h"
#include "cli/dialogue.h"
#include "cli/kept_talks.h"
#include "ech0/error.h"
#include "report/chat.h"
#include "runtime/json_schema.h"

namespace ech0 {
namespace {

struct Arguments {
    std::string model;
    std::optional<std::string> prompt, system;
    std::string grammar, grammar_file, json_schema, json_schema_file;
    RunOptions run;
    ConversationOptions conversation;
    std::string thoughts = "folded";
    KeptTalksOptions kept;
    std::vector<std::string> resume;
    const CLI::Option* resume_option = nullptr;  // was it given? It may have no value
    bool no_history = false, json = false;

    bool resumes() const { return resume_option->count() > 0; }
};

bool is_terminal(int file_descriptor) { return isatty(file_descriptor) == 1; }

void warn(std::string_view text) { fmt::print(stderr, "ech0: {}\n", printable(text, 4000)); }

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

std::string grammar_of(const Arguments& arguments) {
    if (!arguments.grammar.empty()) return arguments.grammar;
    if (!arguments.grammar_file.empty()) return read_file(arguments.grammar_file);
    if (!arguments.json_schema.empty()) return grammar_of_schema(arguments.json_schema);
    if (!arguments.json_schema_file.empty()) return grammar_of_schema(read_file(arguments.json_schema_file));
    return "";
}

Thoughts thoughts_of(const std::string& name) {
    return name == "shown" ? Thoughts::shown : name == "hidden" ? Thoughts::hidden : Thoughts::folded;
}

int answer_once(Answering& answering, KeptTalks& kept, const std::string& prompt, const Arguments& arguments) {
    Conversation& conversation = *answering.conversation;
    // What is piped on is the answer alone; thoughts are shown where somebody may look at them.
    const Thoughts thoughts = arguments.thoughts == "folded" && !is_terminal(STDERR_FILENO)
                                  ? Thoughts::hidden
                                  : thoughts_of(arguments.thoughts);
    const Answer answer = arguments.json ? conversation.ask(prompt) : print_answer(conversation, prompt, thoughts);
    if (answer.stop == Stop::interrupted) throw Interrupted();
    if (arguments.json) print(json_text(chat_json(answering.model, conversation, answer)));
    if (answer.stop == Stop::context_full)
        warn(
            fmt::format("the answer is cut: the context of {} tokens is full; --ctx makes it larger, --context-shift "
                        "forgets the oldest tokens",
                        conversation.session().n_ctx()));
    if (is_terminal(STDERR_FILENO) && !arguments.json) fmt::print(stderr, "[{}]\n", answer_text(conversation, answer));
    kept.after_answer(answering, arguments.resumes());
    if (arguments.resumes()) kept.finish(answering);
    return exit_yes;
}

int chat(const Arguments& arguments) {
    const Config config = read_config();
    ConversationOptions options = arguments.conversation;
    options.system = arguments.system.value_or(options.raw ? "" : config.system);
    options.sampler.grammar = grammar_of(arguments);
    check(options);
    const std::optional<std::string> prompt = one_prompt(arguments);
    Answering answering(model_or_configured(arguments.model, config), arguments.run, config, options);
    KeptTalks kept(arguments.kept);
    kept.attach(answering);
    if (arguments.resumes()) {
        const std::string done = kept.resume(answering, arguments.resume.empty() ? "" : arguments.resume.front());
        if (!arguments.json) fmt::print(stderr, "{}\n", done);
    }
    if (prompt) return answer_once(answering, kept, *prompt, arguments);
    return talk_at_terminal(std::move(answering), kept, arguments.run, config, thoughts_of(arguments.thoughts),
                            !arguments.no_history);
}

template <class Number>
void add_number(CLI::App* command, const std::string& name, Number& value, const std::string& help) {
    command->add_option(name, value, help)->type_name("N")->capture_default_str();
}

void add_sampler_options(CLI::App* command, SamplerOptions& sampler) {
    add_number(command, "--temp,--temperature", sampler.temp, "0: always the likeliest token; higher: more varied");
    add_number(command, "--top-k", sampler.top_k, "choose among this many likeliest tokens (0: all)");
    add_number(command, "--top-p", sampler.top_p,
               "choose among the likeliest that together have this probability (1: all)");
    add_number(command, "--min-p", sampler.min_p,
               "leave out what is less likely than this share of the likeliest (0: none)");
    add_number(command, "--typical,--typical-p", sampler.typical_p,
               "choose among those whose surprise is nearest to the expected one (1: all)");
    add_number(command, "--top-nsigma,--top-n-sigma", sampler.top_n_sigma,
               "leave out logits further than N standard deviations below the best (-1: none)");
    add_number(command, "--xtc-probability", sampler.xtc_probability,
               "how often the likeliest are left out (0: never)");
    add_number(command, "--xtc-threshold", sampler.xtc_threshold, "which are left out then: all above, but the least");
    add_number(command, "--repeat-penalty", sampler.repeat_penalty,
               "make tokens that were just used less likely (1: don't)");
    add_number(command, "--repeat-last-n", sampler.repeat_last_n, "how many tokens count as just used");
    add_number(command, "--presence-penalty", sampler.presence_penalty,
               "likewise, once for each token used (0: don't)");
    add_number(command, "--frequency-penalty", sampler.frequency_penalty,
               "likewise, for each time it was used (0: don't)");
    add_number(command, "-s,--seed", sampler.seed, "the same seed gives the same answer (-1: another one each time)");
}

void add_form_options(CLI::App* command, Arguments& arguments) {
    CLI::Option* const schema =
        command->add_option("-j,--json-schema", arguments.json_schema, "answer in JSON of this schema ({}: any JSON)")
            ->type_name("SCHEMA");
    CLI::Option* const schema_file =
        command->add_option("--json-schema-file", arguments.json_schema_file, "likewise, from a file")
            ->type_name("FILE");
    CLI::Option* const grammar =
        command->add_option("--grammar", arguments.grammar, "answer by this grammar (GBNF)")->type_name("GBNF");
    CLI::Option* const grammar_file =
        command->add_option("--grammar-file", arguments.grammar_file, "likewise, from a file")->type_name("FILE");
    schema->excludes(schema_file, grammar, grammar_file);
    schema_file->excludes(grammar, grammar_file);
    grammar->excludes(grammar_file);
}

}  // namespace

void add_chat(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command = add_command(
        line, "chat", "talk to a model, or get one answer",
        "  ech0 chat demo                                       a talk\n"
        "  ech0 chat model.gguf -p 'Why is the sky blue?'       one answer, alone on stdout\n"
        "  git diff | ech0 chat model.gguf --system 'Write a commit message for this diff.'\n"
        "  ech0 chat model.gguf -p 'A fruit and its colour' -j '{\"type\": \"object\", \"properties\": "
        "{\"fruit\": {\"type\": \"string\"}, \"colour\": {\"type\": \"string\"}}, \"required\": [\"fruit\", "
        "\"colour\"]}'\n"
        "  ech0 chat model.gguf --resume talk.ekv               go on where '/save talk.ekv' was\n"
        "  ech0 chat model.gguf --session-dir ~/sessions -p …   long prompts that begin alike are read once\n"
        "  ech0 chat model.gguf --ctx 2048 --kv-keep 1536       a talk longer than its context (see 'ech0 kv keep')\n"
        "  ech0 chat model.gguf --rpc 192.168.1.7:50052         what doesn't fit here is held there",
        [arguments] { return chat(*arguments); });
    ConversationOptions& conversation = arguments->conversation;
    add_model_or_configured(command, arguments->model);
    command->add_option("-p,--prompt", arguments->prompt,
                        "answer this and end; '-' reads it from stdin, as does a stdin that is no terminal");
    CLI::Option* const system =
        command->add_option("--system,--system-prompt", arguments->system,
                            "how the model should behave, kept at the beginning of the context");
    arguments->resume_option =
        command
            ->add_option("--resume", arguments->resume,
                         "go on with a talk: a file that /save wrote, or one of --session-dir (none named: the last)")
            ->type_name("FILE")
            ->expected(0, 1)
            ->excludes(system);
    CLI::Option* const folder = command
                                    ->add_option("--session-dir", arguments->kept.folder,
                                                 "keep what was read here, so that a prompt that begins alike is "
                                                 "restored instead of read again")
                                    ->type_name("DIR");
    add_size(command, "--session-limit", arguments->kept.limit_bytes,
             "what that folder may take; the least recently used goes first (default: 5GB)")
        ->needs(folder);
    command
        ->add_option("-n,--predict,--n-predict", conversation.n_predict, "most tokens of an answer (-1: until it ends)")
        ->type_name("N")
        ->capture_default_str();
    add_run_options(command, arguments->run);
    CLI::Option* const shift =
        command->add_flag("--context-shift", conversation.context_shift,
                          "at the end of the context forget the oldest turns instead of stopping");
    command
        ->add_option(
            "--kv-keep", arguments->run.n_keep,
            "at the end of the context forget all but N tokens: the first, the last, and those that matter most; "
            "refused unless 'ech0 kv keep' measured that this model bears it")
        ->type_name("N")
        ->check(CLI::Range(int64_t{16}, int64_t{1} << 24))
        ->excludes(shift);
    command->add_flag("--raw,--no-template", conversation.raw, "no chat template: the model goes on with the text");
    command->add_option("--thoughts", arguments->thoughts, "of a reasoning model: folded, shown or hidden")
        ->type_name("HOW")
        ->capture_default_str()
        ->check(CLI::IsMember({"folded", "shown", "hidden"}));
    command->add_flag("--no-history", arguments->no_history, "don't keep what is typed");
    add_form_options(command, *arguments);
    add_sampler_options(command, conversation.sampler);
    add_json(command, arguments->json);
}

}  // namespace ech0
