#include "report/doctor.h"

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "ech0/error.h"
#include "voice/device.h"
#include "voice/engines.h"

namespace ech0 {
namespace {

struct DoctorOptions {
    std::string machine;
    bool profiles = false;
    bool json = false;
};

int list_profiles(bool json) {
    const std::vector<Machine> machines = machine_profiles();
    print(json ? json_text(profiles_json(machines)) : profiles_text(machines));
    return exit_yes;
}

int show_profile(const Machine& machine, bool json) {
    print(json ? json_text(profile_json(machine)) : profile_text(machine));
    return exit_yes;
}

// The system's usual device, or the first.
TalkPart device_part(const char* role, const std::vector<AudioDevice>& devices, const std::string& problem) {
    if (devices.empty()) return {role, "", problem};
    const auto usual =
        std::find_if(devices.begin(), devices.end(), [](const AudioDevice& device) { return device.is_default; });
    return {role, (usual == devices.end() ? devices.front() : *usual).name, ""};
}

// The best engine of a role that is there; the remedy is that of the best, if it isn't.
TalkPart engine_part(const std::vector<VoiceEngine>& engines, const std::string& role) {
    TalkPart part{role, "", ""};
    for (const VoiceEngine& engine : engines) {
        if (engine.role != role) continue;
        if (engine.available) {
            part.what = engine.what;
            break;
        }
        if (part.remedy.empty()) part.remedy = engine.remedy;
    }
    return part;
}

std::vector<TalkPart> look_at_voice() {
    const AudioDevices devices = audio_devices();
    std::vector<TalkPart> parts = {device_part("microphone", devices.inputs, devices.problem),
                                   device_part("loudspeaker", devices.outputs, devices.problem)};
    try {
        const std::vector<VoiceEngine> engines = voice_engines();
        for (const char* role : {"listener", "recognizer", "speaker"}) parts.push_back(engine_part(engines, role));
    } catch (const Error& error) {  // without HOME there is no place for them
        for (const char* role : {"listener", "recognizer", "speaker"}) parts.push_back({role, "", error.what()});
    }
    return parts;
}

int look_at_this_machine(bool json) {
    Checkup checkup = check_up();
    checkup.talk = look_at_voice();
    print(json ? json_text(doctor_json(checkup)) : doctor_text(checkup));
    return exit_yes;
}

int doctor(const DoctorOptions& options) {
    if (options.profiles) return list_profiles(options.json);
    const bool described = !options.machine.empty() && options.machine != "this";
    return described ? show_profile(find_machine(options.machine), options.json) : look_at_this_machine(options.json);
}

}  // namespace

void add_doctor(CommandLine& line) {
    const auto options = std::make_shared<DoctorOptions>();
    CLI::App* const command = add_command(
        line, "doctor", "this machine: what memory a model may use and why, how fast it is read, what to fix",
        "  ech0 doctor                                      look at this machine\n"
        "  ech0 doctor --json | jq .model_budget_bytes      one value, for a script\n"
        "  ech0 doctor --profiles                           machines that --machine knows\n"
        "  ech0 doctor --machine m4-24gb                    what is known of one, with sources",
        [options] { return doctor(*options); });
    CLI::Option* const machine =
        command->add_option("--machine", options->machine, "a described machine instead of this one")
            ->type_name("NAME");
    command->add_flag("--profiles", options->profiles, "list the machines that are described")->excludes(machine);
    add_json(command, options->json);
}

}  // namespace ech0
