// The JSON of a run, as `ech0 report` takes it from anyone: what the description of the format lets through is shown.

#include <cstdint>

#include "ech0/error.h"
#include "report/run_view.h"
#include "report/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const ech0::Json run = ech0::Json::parse(data, data + size, nullptr, false);
    if (run.is_discarded() || !ech0::schema_faults(run, 1).empty()) return 0;
    ech0::Look markdown;
    markdown.markdown = true;
    for (const ech0::Look& look : {ech0::Look(), markdown}) {
        try {
            ech0::run_view(run, look);
        } catch (const ech0::Error&) {}
    }
    return 0;
}
