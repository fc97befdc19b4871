#include "report/demo.h"

#include <fmt/format.h>

#include "base/text.h"
#include "report/optimize.h"

namespace ech0 {
namespace {

// An answer under its heading, each line set in.
std::string quoted(std::string_view heading, std::string_view answer) {
    std::string text = fmt::format("{}:\n", heading);
    while (!answer.empty()) {
        const size_t end = answer.find('\n');
        const std::string line = printable(answer.substr(0, end), 4000);
        text += line.empty() ? "\n" : "  " + line + "\n";
        answer.remove_prefix(end == std::string_view::npos ? answer.size() : end + 1);
    }
    return text + "\n";
}

}  // namespace

Json demo_json(const Optimization& optimization, const Comparison& comparison) {
    return {{"schema", "ech0.demo/1"},
            {"optimize", optimize_json(optimization)},
            {"prompt", comparison.prompt},
            {"answers", {{"original", comparison.original}, {"compressed", comparison.candidate}}}};
}

std::string demo_text(const Optimization& optimization, const Comparison& comparison) {
    const std::string made = shell_word(optimization.artifact.path);
    std::string text = optimize_text(optimization);
    text.erase(text.rfind("Next: "));
    text += fmt::format("\nBoth are asked: {}\n\n", comparison.prompt);
    text += quoted("The original", comparison.original) + quoted("The compressed one", comparison.candidate);
    text += fmt::format("Talk to it:      ech0 chat {}\n", made);
    text += fmt::format("The whole proof: ech0 verify demo {}\n", made);
    text += "Your own model:  ech0 optimize model.gguf --ratio 60% -o smaller.gguf\n";
    return text;
}

}  // namespace ech0
