// A person's settings (TOML): what is read and written back says the same.

#include <string_view>

#include "ech0/error.h"
#include "input_file.h"
#include "install/config.h"
#include "install/production.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        ech0::Config config = ech0::parse_config(text, "config.toml");
        ech0::production_text(config);
        config.port = config.port == 1 ? 2 : 1;
        const ech0::Config again = ech0::parse_config(ech0::with_config(text, config), "config.toml");
        if (again.port != config.port || again.model != config.model || again.system != config.system) std::abort();
    } catch (const ech0::Error&) {}
    return 0;
}
