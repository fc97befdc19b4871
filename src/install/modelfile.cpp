#include "install/modelfile.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "base/text.h"
#include "ech0/error.h"
#include "runtime/chat_template.h"

namespace ech0 {
namespace {

/// What stands before and after a role's words.
struct Around {
    std::string before, after;
};

/// What a chat template writes, in pieces. A system prompt is a message of its own, or it goes into the first user's
/// message: between that one's beginning and its words stand then `system.before`, the prompt and `system.after`.
struct Pieces {
    Around system, user, assistant;
    bool system_in_user = false;
    std::string generation;  // what asks for the answer
};

const std::string system_word = "ech0-system", user_word = "ech0-user", answer_word = "ech0-answer";

std::optional<Around> split(std::string_view text, std::string_view word) {
    const size_t at = text.find(word);
    if (at == std::string_view::npos || text.find(word, at + 1) != std::string_view::npos) return std::nullopt;
    return Around{std::string(text.substr(0, at)), std::string(text.substr(at + word.size()))};
}

std::optional<Pieces> pieces_of(const std::string& chat_template) {
    const ChatMessage system{"system", system_word}, user{"user", user_word}, answer{"assistant", answer_word};
    const auto render = [&](std::vector<ChatMessage> messages, bool add) {
        return render_chat(chat_template, messages, add);
    };
    Pieces pieces;
    const std::string one = render({user}, false), asked = render({user}, true), both = render({user, answer}, false),
                      led = render({system, user}, false);
    if (!asked.starts_with(one) || !both.starts_with(one)) return std::nullopt;
    pieces.generation = asked.substr(one.size());
    const std::optional<Around> around_user = split(one, user_word);
    const std::optional<Around> around_answer = split(both.substr(one.size()), answer_word);
    const std::optional<Around> around_system = split(led, system_word);
    if (!around_user || !around_answer || !around_system) return std::nullopt;
    pieces.user = *around_user;
    pieces.assistant = *around_answer;
    const std::optional<Around> rest = split(around_system->after, user_word);
    if (!rest || rest->after != pieces.user.after) return std::nullopt;
    pieces.system.before = around_system->before;
    if (rest->before.ends_with(pieces.user.before) && !pieces.user.before.empty()) {
        pieces.system.after = rest->before.substr(0, rest->before.size() - pieces.user.before.size());
    } else if (pieces.system.before.starts_with(pieces.user.before)) {
        pieces.system_in_user = true;
        pieces.system.before.erase(0, pieces.user.before.size());
        pieces.system.after = rest->before;
    } else {
        return std::nullopt;
    }
    return pieces;
}

// What the Go template will write, so that it can be compared with what the engine writes.
std::string written(const Pieces& pieces, const std::vector<ChatMessage>& messages) {
    std::string text, system;
    bool first_user = true;
    for (const ChatMessage& message : messages) {
        if (message.role == "system" && pieces.system_in_user) {
            system = message.content;
        } else if (message.role == "system") {
            text += pieces.system.before + message.content + pieces.system.after;
        } else if (message.role == "user") {
            text += pieces.user.before;
            if (first_user && !system.empty()) text += pieces.system.before + system + pieces.system.after;
            text += message.content + pieces.user.after;
            first_user = false;
        } else {
            text += pieces.assistant.before + message.content + pieces.assistant.after;
        }
    }
    return text + pieces.generation;
}

bool holds(const Pieces& pieces, const std::string& chat_template) {
    const ChatMessage system{"system", "Be brief."}, hello{"user", "Hello"}, hi{"assistant", "Hi there!"};
    const ChatMessage question{"user", "What is two\nand two?"}, four{"assistant", "Four."}, thanks{"user", "Thanks."};
    const std::vector<std::vector<ChatMessage>> talks = {
        {hello},
        {system, hello},
        {system, hello, hi, question},
        {hello, hi, question, four, thanks},
    };
    for (const auto& talk : talks)
        if (written(pieces, talk) != render_chat(chat_template, talk, true)) return false;
    return true;
}

bool is_plain(const Pieces& pieces) {
    for (const Around* around : {&pieces.system, &pieces.user, &pieces.assistant})
        if ((around->before + around->after).find("{{") != std::string::npos) return false;
    return pieces.generation.find("{{") == std::string::npos;
}

// $last as Ollama's own templates have it: a last message of the assistant's is left open, to be gone on with.
std::string go_text(const Pieces& pieces) {
    const std::string answer =
        pieces.assistant.before + "{{ .Content }}{{ if not $last }}" + pieces.assistant.after + "{{ end }}";
    const std::string generation = "{{ if and $last (ne .Role \"assistant\") }}" + pieces.generation + "{{ end }}";
    const std::string loop =
        "{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"
        "{{ if eq .Role \"user\" }}";
    if (pieces.system_in_user)
        return "{{ $first := true }}" + loop + pieces.user.before + "{{ if and $first $.System }}" +
               pieces.system.before + "{{ $.System }}" + pieces.system.after + "{{ end }}{{ $first = false }}" +
               "{{ .Content }}" + pieces.user.after + "{{ else if eq .Role \"assistant\" }}" + answer + "{{ end }}" +
               generation + "{{ end }}";
    return loop + pieces.user.before + "{{ .Content }}" + pieces.user.after + "{{ else if eq .Role \"system\" }}" +
           pieces.system.before + "{{ .Content }}" + pieces.system.after + "{{ else if eq .Role \"assistant\" }}" +
           answer + "{{ end }}" + generation + "{{ end }}";
}

std::string quoted(std::string_view command, const std::string& text) {
    if (text.find("\"\"\"") != std::string::npos || text.ends_with('"'))
        throw UsageError(
            fmt::format("{}: {} ends in a quotation mark or has three in a row, which a Modelfile can't hold", command,
                        printable(text)));
    return fmt::format("{} \"\"\"{}\"\"\"\n", command, text);
}

std::string template_text(const Model& model) {
    if (model.chat_template.empty())
        return "# The file has no chat template: it is a base model, which goes on with the text as it stands.\n"
               "TEMPLATE \"\"\"{{ .Prompt }}\"\"\"\n";
    if (const std::optional<std::string> found = go_template(model.chat_template)) return quoted("TEMPLATE", *found);
    return "# The file's chat template has a form that ech0 can't put into Ollama's words: Ollama chooses one "
           "itself.\n";
}

std::string parameters_text(const ModelfileOptions& options) {
    const SamplerOptions& sampler = options.sampler;
    std::string text = fmt::format("PARAMETER num_ctx {}\n", options.n_ctx);
    text += fmt::format("PARAMETER temperature {}\nPARAMETER top_k {}\nPARAMETER top_p {}\nPARAMETER min_p {}\n",
                        sampler.temp, sampler.top_k, sampler.top_p, sampler.min_p);
    text += fmt::format("PARAMETER repeat_penalty {}\nPARAMETER repeat_last_n {}\n", sampler.repeat_penalty,
                        sampler.repeat_last_n);
    if (sampler.seed >= 0) text += fmt::format("PARAMETER seed {}\n", sampler.seed);
    return text;
}

}  // namespace

std::optional<std::string> go_template(const std::string& chat_template) {
    try {
        const std::optional<Pieces> pieces = pieces_of(chat_template);
        if (!pieces || !is_plain(*pieces) || !holds(*pieces, chat_template)) return std::nullopt;
        return go_text(*pieces);
    } catch (const UsageError&) {  // a template that the engine doesn't know
        return std::nullopt;
    }
}

std::string modelfile_text(const Model& model, const ModelfileOptions& options) {
    const std::string path = std::filesystem::absolute(model.files.front()).lexically_normal().string();
    if (path.find_first_of("\r\n") != std::string::npos)
        throw UsageError(fmt::format("{}: a Modelfile can't hold a path with a line break", printable(path, 400)));
    std::string text = fmt::format("# {}, for Ollama, by ech0: ollama create NAME -f THIS-FILE\nFROM {}\n",
                                   printable(model.name.empty() ? path : model.name, 400), path);
    text += template_text(model);
    text += parameters_text(options);
    if (!options.system.empty()) text += quoted("SYSTEM", options.system);
    if (!model.licence.empty()) text += quoted("LICENSE", model.licence);
    return text;
}

}  // namespace ech0
