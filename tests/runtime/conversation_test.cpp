#include "runtime/conversation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <vector>

#include "base/interrupt.h"
#include "ech0/error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {
namespace {

constexpr int64_t small_ctx = 256;  // the engine rounds contexts up to this
const std::string hello = "Say hello in French, and say why you like the word.";

Session demo_session(int64_t n_ctx = 1024) {
    static const Model model = read_model("demo");
    SessionOptions options;
    options.n_ctx = n_ctx;
    options.n_threads = 1;  // tests run side by side
    return Session(model, options);
}

ConversationOptions greedy(int64_t n_predict = 24) {
    ConversationOptions options;
    options.n_predict = n_predict;
    options.sampler.temp = 0;
    return options;
}

// Logits of the last token in a fresh context: the first batch up to ends[0], then tokens one by one up to ends[1],
// then a batch up to ends[2], and so on in turn; what is left one by one.
std::vector<float> logits_in_steps(const std::vector<int32_t>& tokens, const std::vector<int64_t>& ends) {
    Session fresh = demo_session();
    std::span<const float> logits;
    for (size_t at = 0, turn = 0; at < tokens.size(); turn++) {
        const size_t end = turn < ends.size() ? static_cast<size_t>(ends[turn]) : tokens.size();
        const bool one_by_one = turn % 2 == 1;
        for (size_t n = one_by_one ? 1 : end - at; at < end; at += n)
            logits = fresh.decode(std::span(tokens).subspan(at, n), static_cast<int64_t>(n) - 1);
    }
    return {logits.begin(), logits.end()};
}

// Distance of two logit vectors, relative to their spread.
double relative_distance(std::span<const float> a, std::span<const float> b) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
        norm += std::pow(static_cast<double>(a[i]), 2);
    }
    return std::sqrt(difference / norm);
}

TEST_CASE("a greedy answer is the one of a plain argmax loop over the templated prompt") {
    Session session = demo_session();
    Conversation conversation(session, greedy());
    std::string streamed;
    const Answer answer = conversation.ask(hello, [&](std::string_view text) { streamed += text; });

    Session plain = demo_session();
    const std::vector<ChatMessage> messages = {{"user", hello}};
    std::vector<int32_t> tokens = plain.tokenize(plain.apply_template(messages, true), false, true);
    CHECK(answer.n_prompt == static_cast<int64_t>(tokens.size()));
    std::string expected;
    int64_t n = 0;
    for (std::span<const float> logits = plain.decode(tokens, answer.n_prompt - 1); n < 24; n++) {
        const auto best = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        if (plain.is_end(best)) break;
        expected += plain.piece(best);
        logits = plain.decode({&best, 1}, 0);
    }
    CHECK(answer.text == expected);
    CHECK(streamed == expected);
    CHECK(answer.n_tokens == n);
    CHECK_FALSE(answer.text.empty());
}

TEST_CASE("the second turn decodes only what is new, and leaves the context as reading all from scratch would") {
    Session session = demo_session();
    Conversation conversation(session, greedy());
    const Answer first = conversation.ask(hello);
    const Answer second = conversation.ask("And in Spanish?");

    CHECK(first.n_reused == 0);
    CHECK(second.n_reused == first.n_prompt + first.n_tokens - (first.stop == Stop::end_of_turn ? 0 : 1));
    const std::vector<ChatMessage> all = {{"user", hello}, {"assistant", first.text}, {"user", "And in Spanish?"}};
    std::vector<int32_t> prompt = session.tokenize(session.apply_template(all, true), false, true);
    CHECK(second.n_prompt == static_cast<int64_t>(prompt.size()));
    REQUIRE(conversation.tokens().size() >= prompt.size());
    CHECK(std::equal(prompt.begin(), prompt.end(), conversation.tokens().begin()));

    // One more token on top: the logits tell whether what lies below is the same. Read again in the same steps it is
    // the same to the bit; read in one batch, but for rounding (0.011 seen).
    std::vector<int32_t> tokens = conversation.tokens();
    CHECK(session.n_past() == static_cast<int64_t>(tokens.size()));
    tokens.push_back(tokens[4]);
    const std::span<const float> last = session.decode({&tokens.back(), 1}, 0);
    const std::vector<float> incremental(last.begin(), last.end());
    CHECK(logits_in_steps(tokens, {first.n_prompt, second.n_reused, second.n_prompt}) == incremental);
    CHECK(relative_distance(logits_in_steps(tokens, {static_cast<int64_t>(tokens.size())}), incremental) < 0.02);
}

TEST_CASE(
    "in every architecture, tokenizer and template the context is what reading the whole chat from scratch gives") {
    for (const std::string architecture : {"llama", "qwen2", "qwen3", "gemma3", "qwen3moe"}) {
        CAPTURE(architecture);
        const TemporaryFolder folder;
        TinyModel tiny;
        tiny.architecture = architecture;
        if (architecture == "qwen3moe") tiny.n_expert = 4, tiny.n_expert_used = 2;
        write_tiny_model(tiny, folder / "tiny.gguf");
        const Model model = read_model((folder / "tiny.gguf").string());
        SessionOptions session_options;
        session_options.n_ctx = small_ctx;
        session_options.n_threads = 1;
        Session session(model, session_options);
        Conversation conversation(session, greedy(6));
        for (const char* message : {"Hello.", "  What is this? ", "日本語 and 🙂"}) conversation.ask(message);

        const std::vector<ChatMessage>& messages = conversation.messages();
        REQUIRE(messages.size() == 6);
        Session fresh(model, session_options);
        std::vector<int32_t> prompt =
            fresh.tokenize(fresh.apply_template(std::span(messages).first(5), true), fresh.adds_bos(), true);
        std::vector<int32_t> tokens = conversation.tokens();
        REQUIRE(tokens.size() > prompt.size());
        CHECK(std::equal(prompt.begin(), prompt.end(), tokens.begin()));
        tokens.push_back(tokens[1]);
        const std::span<const float> incremental = session.decode({&tokens.back(), 1}, 0);
        const std::span<const float> whole = fresh.decode(tokens, static_cast<int64_t>(tokens.size()) - 1);
        CHECK(relative_distance(whole, incremental) < 0.005);  // 0.002 seen: batches round attention differently
        tokens[tokens.size() - 8]++;                           // within reach of gemma3's sliding window
        fresh.truncate(0);
        CHECK(relative_distance(fresh.decode(tokens, static_cast<int64_t>(tokens.size()) - 1), incremental) > 0.01);
    }
}

TEST_CASE("a system prompt stands before the messages and survives /clear") {
    ConversationOptions options = greedy(4);
    options.system = "You are a pirate.";
    Session session = demo_session();
    Conversation conversation(session, options);
    conversation.ask("Hello");
    REQUIRE(conversation.messages().size() == 3);
    CHECK(conversation.messages()[0].role == "system");
    CHECK(conversation.messages()[2].role == "assistant");
    conversation.clear();
    REQUIRE(conversation.messages().size() == 1);
    CHECK(conversation.messages()[0].content == "You are a pirate.");
    CHECK(session.n_past() == 0);
}

TEST_CASE("what was read ahead is not read again, and changes no answer") {
    ConversationOptions options = greedy();
    options.system = "You speak English.";
    options.sampler.repeat_penalty = 1.3;  // depends on what the sampler was told of the prompt
    Session plain_session = demo_session(), session = demo_session();
    Conversation plain(plain_session, options), ahead(session, options);
    ahead.read_ahead();
    const int64_t n_system = session.n_past();
    CHECK(n_system > 8);
    ahead.read_ahead("Say hello in French, and");
    CHECK(session.n_past() > n_system);
    const Answer expected = plain.ask(hello), found = ahead.ask(hello);
    CHECK(found.text == expected.text);
    CHECK(found.n_prompt == expected.n_prompt);
    CHECK(expected.n_reused == 0);
    CHECK(found.n_reused > n_system);

    ahead.read_ahead();
    const int64_t n_past = session.n_past();
    ahead.read_ahead();
    CHECK(session.n_past() == n_past);
    CHECK(ahead.messages().size() == plain.messages().size());
    CHECK(ahead.ask("And in German?").text == plain.ask("And in German?").text);
    CHECK_THROWS_AS(ahead.read_ahead(std::string_view("\0", 1)), UsageError);
}

TEST_CASE("reading ahead of more than the context holds is left undone") {
    ConversationOptions options = greedy();
    for (int i = 0; i < 200; i++) options.system += "More and more. ";
    Session session = demo_session(small_ctx);
    Conversation conversation(session, options);
    conversation.read_ahead();
    CHECK(session.n_past() == 0);
}

TEST_CASE("after a clear the same question gets the same answer, with a seed too") {
    ConversationOptions options = greedy(12);
    options.sampler.temp = 1;
    options.sampler.seed = 3;
    Session session = demo_session();
    Conversation conversation(session, options);
    const Answer first = conversation.ask(hello);
    conversation.clear();
    CHECK(conversation.ask(hello).text == first.text);
}

TEST_CASE("without a template the model continues the text as it stands") {
    ConversationOptions options = greedy(8);
    options.raw = true;
    Session session = demo_session();
    Conversation conversation(session, options);
    const std::string text = "The capital of France is";
    const Answer answer = conversation.ask(text);
    CHECK(answer.n_prompt == static_cast<int64_t>(session.tokenize(text, true, true).size()));
    CHECK(answer.text.find("Paris") != std::string::npos);
}

TEST_CASE("an answer ends after n_predict tokens, or at the end of the turn") {
    Session session = demo_session();
    Conversation conversation(session, greedy(3));
    const Answer cut = conversation.ask(hello);
    CHECK(cut.stop == Stop::length);
    CHECK(cut.n_tokens == 3);

    Conversation brief(session, greedy(-1));
    const Answer whole = brief.ask("What is the capital of France?");
    CHECK(whole.stop == Stop::end_of_turn);
    CHECK(whole.text.find("<|im_end|>") == std::string::npos);
}

TEST_CASE("an answer of no tokens is possible and is empty") {
    Session session = demo_session();
    Conversation conversation(session, greedy(0));
    const Answer answer = conversation.ask(hello);
    CHECK(answer.text.empty());
    CHECK(answer.stop == Stop::length);
}

// A text that any model goes on with for ever.
std::string counting(int n) {
    std::string text;
    for (int i = 1; i < n / 3; i++) text += std::to_string(i % 10) + ", ";
    return text;
}

// Turns of which each takes a good part of a small context.
std::string long_message(int turn, int n_sentences = 4) {
    std::string text = "Note number " + std::to_string(turn) + ".";
    for (int i = 0; i < n_sentences; i++)
        text += " The ferry to island " + std::to_string(10 * turn + i) + " leaves at noon.";
    return text;
}

TEST_CASE("at the end of the context an answer stops and says so, and the next message is refused") {
    Session session = demo_session(small_ctx);
    REQUIRE(session.n_ctx() == small_ctx);
    ConversationOptions options = greedy(-1);
    options.raw = true;
    Conversation conversation(session, options);
    const Answer answer = conversation.ask(counting(160));
    CHECK(answer.stop == Stop::context_full);
    CHECK(answer.n_forgotten == 0);
    CHECK(session.n_past() == small_ctx);
    CHECK(answer.n_prompt + answer.n_tokens - 1 == small_ctx);

    const size_t n_messages = conversation.messages().size();
    try {
        conversation.ask("Go on.");
        FAIL("the message was taken");
    } catch (const UsageError& error) {
        CHECK(std::strstr(error.what(), "the context holds 256: start over (/clear)") != nullptr);
    }
    CHECK(conversation.messages().size() == n_messages);
}

TEST_CASE("with context shift the oldest turns are forgotten, the system prompt is kept, and the talk goes on") {
    ConversationOptions options = greedy(8);
    options.context_shift = true;
    options.system = "You keep a list of ferries.";
    Session session = demo_session(small_ctx);
    Conversation conversation(session, options);
    const std::vector<ChatMessage> system = {{"system", options.system}};
    const std::vector<int32_t> system_tokens = session.tokenize(session.apply_template(system, false), false, true);

    int64_t n_forgotten = 0;
    for (int turn = 0; turn < 6; turn++) {
        const Answer answer = conversation.ask(long_message(turn));
        n_forgotten += answer.n_forgotten;
        CHECK(answer.n_tokens > 0);
        CHECK(session.n_past() == static_cast<int64_t>(conversation.tokens().size()));
        REQUIRE(conversation.tokens().size() > system_tokens.size());
        CHECK(std::equal(system_tokens.begin(), system_tokens.end(), conversation.tokens().begin()));
        // Forgetting costs no reading: only the new message, and the mark that ended the answer before it, is new.
        const std::vector<ChatMessage> message = {{"user", long_message(turn)}};
        const auto n_message =
            static_cast<int64_t>(session.tokenize(session.apply_template(message, true), false, true).size());
        CHECK(answer.n_prompt - answer.n_reused <=
              n_message + (turn == 0 ? static_cast<int64_t>(system_tokens.size()) : 3));
    }
    CHECK(n_forgotten > 0);
    CHECK(conversation.messages().front().content == options.system);
    CHECK(conversation.messages().size() < 13);
    CHECK(conversation.messages().size() >= 5);

    // The context is what its tokens say, at positions without a gap.
    const std::vector<ChatMessage>& kept = conversation.messages();
    const std::vector<int32_t> expected =
        session.tokenize(session.apply_template(std::span(kept).first(kept.size() - 1), true), false, true);
    CHECK(std::equal(expected.begin(), expected.end(), conversation.tokens().begin()));
}

TEST_CASE(
    "with context shift an answer goes on past the end of the context, by forgetting turns and then its own "
    "beginning") {
    ConversationOptions options = greedy(-1);
    options.context_shift = true;
    options.system = "You tell stories.";
    Session session = demo_session(small_ctx);
    Conversation conversation(session, options);
    conversation.ask("What is the capital of France?");
    const Answer answer =
        conversation.ask("Write a very long story about a ferry, an island, its people and a lighthouse keeper.");
    CHECK(answer.n_prompt + answer.n_tokens > small_ctx);
    CHECK(answer.n_forgotten > 0);
    CHECK(conversation.messages()[1].content.starts_with("Write a very long story"));
    CHECK(session.n_past() <= small_ctx);
    CHECK((answer.stop == Stop::length || answer.stop == Stop::end_of_turn));
    CHECK(answer.n_tokens <= small_ctx);
}

TEST_CASE("a prompt longer than the context is refused with both numbers") {
    for (const bool shift : {false, true}) {
        ConversationOptions options = greedy(4);
        options.context_shift = shift;
        Session session = demo_session(small_ctx);
        Conversation conversation(session, options);
        try {
            conversation.ask(long_message(1, 40));
            FAIL("the message was taken");
        } catch (const UsageError& error) {
            CHECK(std::strstr(error.what(),
                              "the context holds 256 with the answer: use a larger --ctx or a shorter prompt") !=
                  nullptr);
        }
        CHECK(conversation.messages().empty());
        CHECK(conversation.ask(hello).n_tokens == 4);
    }
}

// All but the first four and the last sixty.
void forget_the_middle(Session& session) { session.forget(4, session.n_past() - 60); }

TEST_CASE(
    "with somebody who chooses what to forget, a talk is longer than its context, and what stays is not read again") {
    Session session = demo_session(small_ctx);
    Conversation conversation(session, greedy(8));
    conversation.set_forget(forget_the_middle);
    const Answer first = conversation.ask(long_message(1, 60));
    CHECK(first.n_prompt > 2 * small_ctx);
    CHECK(first.n_tokens > 0);
    CHECK(first.n_forgotten == session.n_past() - session.n_cells());
    CHECK(session.n_cells() <= small_ctx);
    CHECK(session.n_past() == std::ssize(conversation.tokens()));
    CHECK_FALSE(conversation.is_exact());
    // The same by hand.
    Session plain = demo_session(small_ctx);
    const std::vector<int32_t> prompt = plain.tokenize(
        plain.apply_template(std::vector<ChatMessage>{{"user", long_message(1, 60)}}, true), false, true);
    std::span<const int32_t> rest = prompt;
    while (plain.n_cells() + std::ssize(rest) > small_ctx) {
        const auto n = static_cast<size_t>(small_ctx - plain.n_cells());
        plain.decode(rest.first(n), static_cast<int64_t>(n));
        rest = rest.subspan(n);
        forget_the_middle(plain);
    }
    const std::span<const float> logits = plain.decode(rest, std::ssize(rest) - 1);
    const auto token = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    CHECK(conversation.tokens()[prompt.size()] == token);

    const Answer second = conversation.ask("And then?");
    CHECK(second.n_reused > 2 * small_ctx);
    CHECK(second.n_prompt - second.n_reused < 20);
    conversation.clear();
    CHECK(conversation.is_exact());
    CHECK(session.n_cells() == 0);
}

TEST_CASE("an answer goes on while tokens are forgotten for it") {
    Session session = demo_session(small_ctx);
    ConversationOptions options = greedy(3 * small_ctx);
    options.raw = true;
    Conversation conversation(session, options);
    conversation.set_forget(forget_the_middle);
    const Answer answer = conversation.ask("1 2 3 4 5 6 7 8 9 10 11 12");
    CHECK(answer.n_forgotten > 0);
    CHECK(answer.stop != Stop::context_full);
    CHECK(answer.n_prompt + answer.n_tokens > small_ctx);
}

TEST_CASE("who forgets nothing is no help, and a talk ends where the model was not trained") {
    const TemporaryFolder folder;
    write_tiny_model({.n_ctx_train = 512}, folder / "m.gguf");
    SessionOptions session_options;
    session_options.n_ctx = small_ctx;
    session_options.n_threads = 1;
    Session session(read_model((folder / "m.gguf").string()), session_options);
    Conversation conversation(session, greedy(8));
    conversation.set_forget([](Session&) {});
    CHECK_THROWS_WITH_AS(conversation.ask(std::string(300, 'x')),
                         "256 tokens in a context of 256, and none was forgotten", EngineError);
    CHECK(conversation.messages().empty());
    conversation.set_forget(forget_the_middle);
    CHECK(conversation.ask(std::string(300, 'x')).n_forgotten > 0);
    try {
        conversation.ask(std::string(300, 'y'));
        FAIL("the message was taken");
    } catch (const UsageError& error) {
        CHECK(std::strstr(error.what(), "tokens, the model was trained on 512: start over (/clear)") != nullptr);
    }
}

TEST_CASE("an interrupt ends the answer, keeps what was said, and the talk goes on") {
    install_interrupt_handler();
    Session session = demo_session();
    Conversation conversation(session, greedy(64));
    int n_pieces = 0;
    const Answer cut = conversation.ask(hello, [&](std::string_view) {
        if (++n_pieces == 5) std::raise(SIGINT);
    });
    clear_interrupt();
    CHECK(cut.stop == Stop::interrupted);
    CHECK(cut.n_tokens == 5);
    REQUIRE(conversation.messages().size() == 2);
    CHECK(conversation.messages()[1].content == cut.text);
    const Answer next = conversation.ask("Go on.");
    CHECK(next.stop != Stop::interrupted);
    CHECK(next.n_reused >= cut.n_prompt);
}

TEST_CASE("an interrupt before the first token leaves the conversation as it was") {
    install_interrupt_handler();
    Session session = demo_session();
    Conversation conversation(session, greedy(4));
    std::raise(SIGINT);
    const Answer none = conversation.ask(hello);
    clear_interrupt();
    CHECK(none.stop == Stop::interrupted);
    CHECK(none.text.empty());
    CHECK(conversation.messages().empty());
    CHECK(conversation.ask(hello).n_tokens == 4);
}

TEST_CASE("what a listener throws comes through, and the conversation is as it was") {
    Session session = demo_session();
    Conversation conversation(session, greedy(8));
    CHECK_THROWS_AS(conversation.ask(hello, [](std::string_view) { throw FileError("the disk is full"); }), FileError);
    CHECK(conversation.messages().empty());
    CHECK(session.n_past() == static_cast<int64_t>(conversation.tokens().size()));
}

TEST_CASE("what can't be said is refused: a NUL byte, a system prompt without template, nothing at all") {
    Session session = demo_session();
    Conversation conversation(session, greedy(4));
    CHECK_THROWS_WITH_AS(conversation.ask(std::string("a\0b", 3)), "prompt: a NUL byte at offset 1, wanted text",
                         UsageError);
    ConversationOptions options;
    options.raw = true;
    Conversation raw(session, options);
    CHECK_THROWS_WITH_AS(raw.ask(""), "the prompt is empty, and this model has no token to begin with", UsageError);
    options.system = "x";
    CHECK_THROWS_WITH_AS(Conversation(session, options),
                         "a system prompt needs the chat template: leave out --system or --raw", UsageError);
}

TEST_CASE("a model without a template is refused at once, and not in raw mode") {
    Model model = read_model("demo");
    model.chat_template.clear();
    SessionOptions alone;
    alone.n_ctx = small_ctx;
    alone.n_threads = 1;
    Session session(model, alone);
    CHECK_THROWS_WITH_AS(
        Conversation(session, greedy()),
        "this file has no chat template (tokenizer.chat_template): it is a base model; use -p with --raw", UsageError);
    ConversationOptions options = greedy(2);
    options.raw = true;
    CHECK(Conversation(session, options).ask("Once").n_tokens == 2);
}

}  // namespace
}  // namespace ech0
