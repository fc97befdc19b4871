// Importance matrices, both forms.

#include "ech0/calibration.h"
#include "ech0/error.h"
#include "input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::filesystem::path file = ech0::input_file(data, size, "imatrix");
    try {
        ech0::read_imatrix(file);
    } catch (const ech0::Error&) {}
    return 0;
}
