#include "cli/anatomy.h"

#include <fmt/format.h>

#include "cli/progress.h"
#include "ech0/units.h"
#include "model/remote_model.h"
#include "store/stores.h"

namespace ech0 {

Model read_anatomy(const std::string& asked) {
    if (!asked.starts_with("hf:") || !meant_models(asked).empty()) return read_model(asked);
    ProgressLine line;
    const RemoteModel remote = read_remote_model(Hub::from_environment(), asked, line.callback());
    fmt::print(stderr, "ech0: read {} of {} over the network; the weights are not here\n",
               format_disk(remote.read_bytes), format_disk(remote.model.size_bytes));
    return remote.model;
}

}  // namespace ech0
