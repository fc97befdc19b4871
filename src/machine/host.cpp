#include "machine/host.h"

namespace ech0 {

std::string gpu_maker(std::string_view address, std::string_view vendor, std::string_view device_class) {
    const bool draws = device_class.starts_with("0x03");     // display controllers, and 3D ones without an outlet
    const bool computes = device_class.starts_with("0x12");  // "processing accelerators": AMD's Instinct
    if (!draws && !computes) return "";
    if (vendor.starts_with("0x10de")) return "NVIDIA";
    if (vendor.starts_with("0x1002")) return "AMD";
    const bool in_processor = address.starts_with("0000:00:");
    return vendor.starts_with("0x8086") && draws && !in_processor ? "Intel" : "";
}

}  // namespace ech0
