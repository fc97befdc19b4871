#include "machine/devices.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <ggml-backend.h>

#include "base/text.h"
#include "runtime/engine.h"

namespace ech0 {
namespace {

std::string kind_name(enum ggml_backend_dev_type type) {
    switch (type) {
        case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
        case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
        case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
        case GGML_BACKEND_DEVICE_TYPE_ACCEL: return "accel";
        default: return "other";
    }
}

// ggml calls Metal's registry "MTL".
std::string backend_name(ggml_backend_reg_t backend) {
    const std::string name = printable(ggml_backend_reg_name(backend));
    return name == "MTL" ? "Metal" : name;
}

Device device_of(ggml_backend_dev_t device) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device, &props);
    return {printable(props.name),
            printable(props.description),
            backend_name(ggml_backend_dev_backend_reg(device)),
            kind_name(props.type),
            static_cast<int64_t>(props.memory_total),
            static_cast<int64_t>(props.memory_free)};
}

// Among the features are also how the kernels were built ("OPENMP") and lengths of vectors ("SVE_CNT").
bool is_instruction_set(std::string_view feature) {
    constexpr std::array<std::string_view, 8> others = {"LLAMAFILE", "ACCELERATE", "CPU_HBM", "OPENMP",
                                                        "KLEIDIAI",  "REPACK",     "SVE_CNT", "RVV_VLEN"};
    return std::find(others.begin(), others.end(), feature) == others.end();
}

}  // namespace

std::vector<std::string> engine_backends() {
    start_engine();
    std::vector<std::string> names;
    for (size_t i = 0; i < ggml_backend_reg_count(); i++) names.push_back(backend_name(ggml_backend_reg_get(i)));
    return names;
}

std::vector<Device> engine_devices() {
    start_engine();
    std::vector<Device> devices;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) devices.push_back(device_of(ggml_backend_dev_get(i)));
    return devices;
}

std::vector<std::string> engine_isa() {
    start_engine();
    std::vector<std::string> names;
    ggml_backend_reg_t const cpu = ggml_backend_reg_by_name("CPU");
    if (cpu == nullptr) return names;
    const auto features_of = reinterpret_cast<ggml_backend_get_features_t>(
        ggml_backend_reg_get_proc_address(cpu, "ggml_backend_get_features"));
    if (features_of == nullptr) return names;
    for (const ggml_backend_feature* feature = features_of(cpu); feature->name != nullptr; feature++)
        if (is_instruction_set(feature->name)) names.emplace_back(feature->name);
    return names;
}

}  // namespace ech0
