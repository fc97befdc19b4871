#include "verify/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/child.h"
#include "base/process.h"
#include "base/text.h"
#include "ech0/error.h"
#include "ech0/session.h"
#include "machine/budget.h"

namespace ech0 {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Any tokens do: the work doesn't depend on them. Ordinary ones, spread over the vocabulary.
std::vector<int32_t> some_tokens(int64_t n_tokens, int64_t n_vocab) {
    std::vector<int32_t> tokens(n_tokens);
    for (int64_t i = 0; i < n_tokens; ++i) tokens[i] = static_cast<int32_t>((i * 7919 + 1) % n_vocab);
    return tokens;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

Speed median_of(const std::vector<Speed>& runs) {
    std::vector<double> prompt, generation, memory;
    for (const Speed& run : runs) {
        prompt.push_back(run.prompt_tokens_per_s);
        generation.push_back(run.tokens_per_s);
        memory.push_back(static_cast<double>(run.peak_memory_bytes));
    }
    return {median(prompt), median(generation), static_cast<int64_t>(median(memory))};
}

std::vector<std::string> words_of(const SpeedRun& run) {
    const SpeedOptions& options = run.options;
    std::vector<std::string> words = {measure_alone_command,
                                      run.model,
                                      "--prompt",
                                      std::to_string(options.n_prompt),
                                      "--generate",
                                      std::to_string(options.n_generate),
                                      "--ctx",
                                      std::to_string(options.n_ctx),
                                      "--threads",
                                      std::to_string(options.n_threads),
                                      "--type-k",
                                      options.type_k,
                                      "--type-v",
                                      options.type_v};
    for (const RemoteShare& share : options.remote) words.insert(words.end(), {"--remote", share_word(share)});
    return words;
}

// What a person is to read of a program of ours that gave up; "" if it did not end in order.
std::string own_words(const ChildResult& child) {
    constexpr std::string_view sign = "ech0: ";
    const size_t at = child.errors.rfind(sign);
    if (child.exit_status == 0 || child.exit_status > 128 || at == std::string::npos) return "";
    const size_t begin = at + sign.size();
    return child.errors.substr(begin, child.errors.find('\n', begin) - begin);
}

Speed run_alone(const std::filesystem::path& program, const SpeedRun& run) {
    const std::string& model = run.model;
    const ChildResult child = run_child(program, words_of(run));
    if (const std::string words = own_words(child); !words.empty())
        throw EngineError(fmt::format("measure {} alone: {}", model, printable(words, 500)));
    if (child.exit_status != 0) {
        throw EngineError(fmt::format("measure {} alone: {} {} ended with status {}: {}", model, program.string(),
                                      measure_alone_command, child.exit_status, printable(child.errors, 500)));
    }
    const nlohmann::json said = nlohmann::json::parse(child.output, nullptr, false);
    if (!said.is_object())
        throw EngineError(fmt::format("measure {} alone: no JSON but \"{}\"", model, printable(child.output)));
    return {said.at("prompt_tokens_per_s").get<double>(), said.at("tokens_per_s").get<double>(),
            said.at("peak_memory_bytes").get<int64_t>()};
}

}  // namespace

Speed measure_speed(const Model& model, const SpeedOptions& options) {
    const int64_t n_needed = options.n_prompt + options.n_generate;
    Session session(model, {.n_ctx = std::max(options.n_ctx, n_needed),
                            .n_outputs = 1,
                            .n_threads = options.n_threads,
                            .mapped = options.remote.empty() && !fits_memory(model),
                            .type_k = options.type_k,
                            .type_v = options.type_v,
                            .remote = options.remote});
    const std::vector<int32_t> tokens = some_tokens(n_needed, session.n_vocab());
    session.decode(std::span(tokens).first(1), 0);
    session.truncate(0);

    Speed speed;
    Clock::time_point begin = Clock::now();
    session.decode(std::span(tokens).first(options.n_prompt), options.n_prompt - 1);
    speed.prompt_tokens_per_s = static_cast<double>(options.n_prompt) / seconds_since(begin);
    begin = Clock::now();
    for (int64_t i = options.n_prompt; i < n_needed; ++i) session.decode(std::span(tokens).subspan(i, 1), 0);
    speed.tokens_per_s = static_cast<double>(options.n_generate) / seconds_since(begin);
    speed.peak_memory_bytes = peak_memory_bytes();
    return speed;
}

std::string speed_json(const Speed& speed) {
    const nlohmann::json json = {{"prompt_tokens_per_s", speed.prompt_tokens_per_s},
                                 {"tokens_per_s", speed.tokens_per_s},
                                 {"peak_memory_bytes", speed.peak_memory_bytes}};
    return json.dump();
}

std::string share_word(const RemoteShare& share) {
    return fmt::format("{}/{}/{}", share.endpoint, share.device, share.n_layer);
}

RemoteShare read_share(const std::string& word) {
    const size_t second = word.rfind('/'), first = second == 0 ? second : word.rfind('/', second - 1);
    const auto number = [&](size_t begin, size_t end, int64_t& value) {
        const char* const last = word.data() + end;
        return begin < end && std::from_chars(word.data() + begin, last, value).ptr == last && value >= 0;
    };
    RemoteShare share;
    if (second == std::string::npos || first == std::string::npos || !number(first + 1, second, share.device) ||
        !number(second + 1, word.size(), share.n_layer))
        throw UsageError(fmt::format("--remote {}: wanted HOST:PORT/DEVICE/LAYERS", printable(word)));
    share.endpoint = word.substr(0, first);
    return share;
}

std::vector<Speed> measure_alone(const std::filesystem::path& program, std::span<const SpeedRun> runs,
                                 int64_t n_repeats, const Progress& progress) {
    const auto n_measured = static_cast<int64_t>(runs.size()) * n_repeats;
    std::vector<std::vector<Speed>> measured(runs.size());
    for (int64_t i = 0; i < n_measured; ++i) {
        if (progress) progress("measure speed alone", i, n_measured);
        const size_t run = static_cast<size_t>(i) % runs.size();
        measured[run].push_back(run_alone(program, runs[run]));
    }
    if (progress) progress("measure speed alone", n_measured, n_measured);
    std::vector<Speed> medians(runs.size());
    std::transform(measured.begin(), measured.end(), medians.begin(), median_of);
    return medians;
}

std::vector<Speed> measure_alone(const std::filesystem::path& program, std::span<const std::string> models,
                                 int64_t n_repeats, const SpeedOptions& options, const Progress& progress) {
    std::vector<SpeedRun> runs;
    for (const std::string& model : models) runs.push_back({model, options});
    return measure_alone(program, runs, n_repeats, progress);
}

}  // namespace ech0
