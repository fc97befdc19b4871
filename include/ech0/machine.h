#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ech0 {

/// How much a number can be trusted, best first.
enum class Grade {
    measured,   ///< on this machine, with this file
    published,  ///< by somebody who can be named
    predicted,  ///< computed by us
    given       ///< by the person who asks: --memory, --bandwidth
};
std::string_view grade_name(Grade grade);
Grade grade_by_name(std::string_view name);  ///< @throws FormatError if there is none of that name

/// A processor that the engine can run layers on: a row of ggml's device list.
struct Device {
    std::string name, description;  ///< as ggml says them: "CUDA0", "NVIDIA GeForce RTX 4090"
    std::string backend;            ///< "CPU", "Metal", "CUDA", "Vulkan", "RPC", …
    std::string kind;               ///< "cpu", "gpu", "igpu", "accel"
    int64_t memory_total_bytes = 0, memory_free_bytes = 0;
};

/// A speed that somebody measured on such a machine with llama-bench.
struct PublishedSpeed {
    std::string model, type;  ///< "llama 7B", "Q4_0"
    int64_t size_bytes = 0;   ///< of the model's tensors
    int64_t n_params = 0;
    double prompt_tokens_per_s = 0;  ///< pp512; 0 = not said
    double tokens_per_s = 0;         ///< tg128; 0 = not said
    std::string source;
};

/// What a model may count on: this machine, probed, or one of share/machines/, described.
/// Bytes and bytes per second are exact where they are measured and 0 where nobody knows.
struct Machine {
    std::string name;                  ///< "this", or the profile's name: "m4-24gb"
    std::string title;                 ///< "Apple M4 (10-core GPU), 24 GB"
    std::vector<std::string> aliases;  ///< other names it goes by
    bool is_this = false;
    std::string backend;  ///< that the weights run on: "CPU", "Metal", "CUDA", "Vulkan"

    int64_t memory_total_bytes = 0;      ///< RAM, or VRAM where the model runs on a card of its own
    int64_t memory_available_bytes = 0;  ///< of that, unused now; 0 for a profile
    int64_t model_budget_bytes = 0;      ///< what weights, KV and buffers together may take
    std::string budget_source;           ///< why that much, in words, with the arithmetic
    Grade budget_grade = Grade::predicted;

    double read_bytes_per_s = 0;  ///< memory that all cores together read, or the maker's figure for a profile
    std::string read_source;
    Grade read_grade = Grade::predicted;
    double flops_per_s = 0;  ///< half precision, the maker's figure; 0 = not known (measured per type elsewhere)
    std::string flops_source;

    int64_t cores = 0;             ///< physical, those that this process may use
    std::vector<std::string> isa;  ///< instruction sets that the engine's kernels can use: "AVX2", "NEON"
    std::vector<Device> devices;
    std::vector<PublishedSpeed> published;
};

/// This machine, as it is now. The speed of its memory is measured the first time (under 2 s) and remembered in the
/// cache folder for this processor, memory and engine.
/// @param measure_anew  measure it again whatever is remembered
Machine probe_machine(bool measure_anew = false);

/// The machines that are described: those that came with the program and the person's own, `machines/*.toml` in the
/// folder of settings (docs/machines.md), which win over those of the same name. By name.
/// @throws FormatError naming the file, the key, what was found and what was wanted
std::vector<Machine> machine_profiles();

/// The machine of that name or alias, in upper or lower case; "this" is probe_machine().
/// @throws UsageError with the name that was probably meant; FormatError as machine_profiles
Machine find_machine(std::string_view name);

/// The machine as it would be with other figures, whose grade is then `given`.
/// @param model_budget_bytes, read_bytes_per_s  0 = leave it as it is
/// @throws UsageError if they contradict the machine, or no memory is like that
Machine with_overrides(Machine machine, int64_t model_budget_bytes, double read_bytes_per_s);

}  // namespace ech0
