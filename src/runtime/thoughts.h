#pragma once

#include <string>
#include <string_view>

namespace ech0 {

/// Splits what a reasoning model writes, as it comes, into its thoughts and its answer: thoughts stand at the
/// beginning, between <think> and </think> (Qwen3, DeepSeek R1, SmolLM3 and their kin). What may still become a mark is
/// held back.
class ThoughtFilter {
public:
    struct Parts {
        std::string thought, said;
    };

    Parts push(std::string_view text);
    Parts finish();  ///< what was held back

private:
    enum class State { beginning, thinking, after, answering };

    bool take_beginning();
    bool take_thought(Parts& parts);

    State state_ = State::beginning;
    std::string held_;
};

}  // namespace ech0
