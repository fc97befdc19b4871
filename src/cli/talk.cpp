#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "cli/answering.h"
#include "cli/commands.h"
#include "cli/talk_key.h"
#include "ech0/error.h"
#include "report/talk.h"
#include "report/voice.h"
#include "voice/device.h"
#include "voice/engines.h"
#include "voice/file_audio.h"
#include "voice/language.h"
#include "voice/resampler.h"
#include "voice/talk.h"
#include "voice/transcript.h"
#include "voice/wav.h"

namespace ech0 {
namespace {

// A voice can only speak its own language, and a small model that has begun in another goes on in it.
std::string spoken_manner(const Speaker& speaker) {
    const std::string language = language_name(speaker.language());
    return fmt::format(
        "You are a helpful assistant. You talk with people by voice{}. Answer in one to three short sentences of plain "
        "words, without lists, headings or code.",
        language.empty() ? "" : ", in " + language);
}

struct Arguments {
    std::string model, wav, wav_out, input, output, say, transcribe;
    std::optional<std::string> system;
    VoiceWish voice;
    TalkOptions talk;
    RunOptions run;
    ConversationOptions conversation;
    bool push_to_talk = false, no_barge_in = false, no_eager = false, devices = false, json = false;
};

using Clock = std::chrono::steady_clock;

int list_devices(bool json) {
    const std::vector<VoiceEngine> engines = voice_engines();
    const AudioDevices devices = audio_devices();
    print(json ? json_text(voice_json(engines, devices)) : voice_text(engines, devices));
    return exit_yes;
}

// Text to a file, and a file to text: the two ends of a talk alone.
int say(const Arguments& arguments) {
    if (arguments.wav_out.empty()) throw UsageError("--say needs --wav-out FILE, where the speech goes");
    write_wav(arguments.wav_out, load_speaker(arguments.voice)->speak(arguments.say));
    return exit_yes;
}

int transcribe(const Arguments& arguments) {
    const Sound sound = resampled(read_wav(arguments.transcribe), speech_rate);
    const std::string text = transcript(sound, *load_listener(arguments.voice), *load_recognizer(arguments.voice));
    print(text + "\n");
    return has_words(text) ? exit_yes : exit_no;
}

TalkEvents printing() {
    const bool to_terminal = isatty(STDERR_FILENO) == 1;
    TalkEvents events;
    events.heard = [](const std::string& text) { print("you: " + printable(text, 4000) + "\n"); };
    events.said = [](const std::string& piece) { print("     " + printable(piece, 4000) + "\n"); };
    events.done = [to_terminal](const TalkTurn& turn) {
        if (to_terminal) fmt::print(stderr, "[{}]\n", turn_text(turn));
    };
    return events;
}

void check_usage(const Arguments& arguments) {
    if (!arguments.wav_out.empty() && arguments.wav.empty())
        throw UsageError("--wav-out FILE goes with --wav FILE: a talk by files, or --say TEXT");
    check(arguments.talk.turns);
}

// Push-to-talk by a file: all of it is one turn.
bool whole_file(bool heard) { return heard; }

int talk_by_file(const Arguments& arguments, Answering& answering, Voice& voice, TalkSetting setting) {
    TalkOptions options = arguments.talk;
    if (arguments.push_to_talk) options.key = whole_file;
    FileAudio audio(read_wav(arguments.wav));
    setting.input = arguments.wav, setting.output = arguments.wav_out;
    const std::vector<TalkTurn> turns =
        talk(audio, voice, *answering.conversation, options, arguments.json ? TalkEvents{} : printing());
    if (!arguments.wav_out.empty()) write_wav(arguments.wav_out, audio.output());
    if (arguments.json) print(json_text(talk_json(answering.model, *answering.conversation, setting, turns)));
    const bool any = std::any_of(turns.begin(), turns.end(), [](const TalkTurn& turn) { return !turn.heard.empty(); });
    if (!any) fmt::print(stderr, "ech0: no words in {}\n", printable(arguments.wav, 400));
    return any ? exit_yes : exit_no;
}

int talk_with_person(const Arguments& arguments, Answering& answering, Voice& voice, const TalkSetting& setting) {
    if (arguments.json) throw UsageError("--json is for a talk by files: give one by --wav FILE");
    const std::unique_ptr<Audio> audio = device_audio(arguments.input, arguments.output);
    TalkOptions options = arguments.talk;
    std::unique_ptr<TalkKey> key;
    if (arguments.push_to_talk) {
        key = std::make_unique<TalkKey>();
        options.key = [&key](bool) { return key->down(); };
    }
    fmt::print(stderr, "{} hears you, {} answers. {} Ctrl-C leaves.\n", setting.recognizer, setting.speaker,
               arguments.push_to_talk ? "Space begins and ends what you say." : "Speak when you like.");
    talk(*audio, voice, *answering.conversation, options, printing());
    return exit_yes;
}

int talk_command(const Arguments& asked) {
    Arguments arguments = asked;
    if (arguments.devices) return list_devices(arguments.json);
    if (!arguments.say.empty()) return say(arguments);
    if (!arguments.transcribe.empty()) return transcribe(arguments);
    arguments.talk.barge_in = !arguments.no_barge_in;
    arguments.talk.eager = !arguments.no_eager;
    check_usage(arguments);
    const Config config = read_config();
    ConversationOptions options = arguments.conversation;
    options.context_shift = true;  // a talk has no end
    check(options);
    const Clock::time_point start = Clock::now();
    Voice voice = load_voice(arguments.voice);
    options.system = arguments.system.value_or(config.system.empty() ? spoken_manner(*voice.speaker) : config.system);
    Answering answering(model_or_configured(arguments.model, config), arguments.run, config, options);
    TalkSetting setting{voice.listener->name(),
                        voice.recognizer->name(),
                        voice.speaker->name(),
                        "",
                        "",
                        std::chrono::duration<double>(Clock::now() - start).count()};
    return arguments.wav.empty() ? talk_with_person(arguments, answering, voice, setting)
                                 : talk_by_file(arguments, answering, voice, setting);
}

void add_voice_options(CLI::App* command, VoiceWish& voice) {
    command
        ->add_option("--recognizer", voice.recognizer,
                     "speech to text: auto, moonshine, moonshine-tiny, whisper, whisper.cpp")
        ->type_name("ENGINE")
        ->capture_default_str();
    command->add_option("--speaker", voice.speaker, "text to speech: auto, piper, say, espeak")
        ->type_name("ENGINE")
        ->capture_default_str();
    command->add_option("--listener", voice.listener, "voice activity: auto, silero, level")
        ->type_name("ENGINE")
        ->capture_default_str();
    command
        ->add_option("--voice", voice.voice,
                     "a Piper voice's .onnx with its .json beside it, or a name of say's or espeak's")
        ->type_name("VOICE");
    command->add_option("--voice-threads", voice.n_threads, "of speech to text and text to speech")
        ->type_name("N")
        ->check(CLI::Range(1, 64))
        ->default_str("as many as there are idle cores, at most 4");
}

void add_turn_options(CLI::App* command, Arguments& arguments) {
    TurnOptions& turns = arguments.talk.turns;
    command->add_flag("--push-to-talk", arguments.push_to_talk,
                      "space begins and ends what you say; with --wav the whole file is one turn");
    command->add_option("--end-silence", turns.end_s, "so much silence ends what you say")
        ->type_name("SECONDS")
        ->capture_default_str();
    command->add_option("--barge-in", turns.barge_in_s, "so much speech stops an answer")
        ->type_name("SECONDS")
        ->capture_default_str();
    command->add_flag("--no-barge-in", arguments.no_barge_in,
                      "don't listen while the answer is spoken: for loudspeakers that the microphone hears");
    command->add_flag("--no-eager", arguments.no_eager, "prepare no answer before the end of what you say is sure");
}

}  // namespace

void add_talk(CommandLine& line) {
    const auto arguments = std::make_shared<Arguments>();
    CLI::App* const command =
        add_command(line, "talk", "talk to a model by voice",
                    "  ech0 setup --voice                              once: speech to text, a voice\n"
                    "  ech0 talk demo                                  speak; speaking stops an answer\n"
                    "  ech0 talk model.gguf --push-to-talk             space begins and ends what you say\n"
                    "  ech0 talk model.gguf --wav in.wav --wav-out out.wav --json\n"
                    "  ech0 talk --devices                             microphones, loudspeakers, engines\n"
                    "  ech0 talk --say 'Good morning.' --wav-out good.wav\n"
                    "  ech0 talk --transcribe good.wav",
                    [arguments] { return talk_command(*arguments); });
    add_model_or_configured(command, arguments->model);
    command->add_option("--wav", arguments->wav, "hear this file instead of a microphone")->type_name("FILE");
    command->add_option("--wav-out", arguments->wav_out, "speak into this file, from the beginning of the other on")
        ->type_name("FILE");
    command->add_option("--input", arguments->input, "the microphone: a name, or a part of one")->type_name("NAME");
    command->add_option("--output", arguments->output, "the loudspeaker, likewise")->type_name("NAME");
    command->add_flag("--devices", arguments->devices, "list microphones, loudspeakers and engines");
    command->add_option("--say", arguments->say, "only speak this, into --wav-out FILE")->type_name("TEXT");
    command->add_option("--transcribe", arguments->transcribe, "only write down what this file says")
        ->type_name("FILE");
    add_turn_options(command, *arguments);
    add_voice_options(command, arguments->voice);
    command->add_option("--system,--system-prompt", arguments->system, "how the model should behave");
    command
        ->add_option("-n,--predict,--n-predict", arguments->conversation.n_predict,
                     "most tokens of an answer (-1: until it ends)")
        ->type_name("N")
        ->capture_default_str();
    command->add_option("--temp,--temperature", arguments->conversation.sampler.temp, "0: always the likeliest token")
        ->type_name("N")
        ->capture_default_str();
    command
        ->add_option("-s,--seed", arguments->conversation.sampler.seed,
                     "the same seed gives the same answer (-1: another one each time)")
        ->type_name("N")
        ->capture_default_str();
    add_run_options(command, arguments->run);
    add_json(command, arguments->json);
}

}  // namespace ech0
