#include "plan/presets.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "ech0/error.h"
#include "model/blueprint.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

using namespace ech0;

TEST_CASE("the size of a preset is that of the published file, within a thousandth") {
    const TemporaryFolder folder;
    int n_files = 0;
    for (const Blueprint& blueprint : blueprints()) {
        if (blueprint.files.empty()) continue;
        write_blueprint(blueprint, folder / "b.gguf");
        const Model model = read_model((folder / "b.gguf").string());
        const std::vector<std::string> names = preset_names();
        for (const BlueprintFile& file : blueprint.files) {
            if (std::find(names.begin(), names.end(), file.type) == names.end()) continue;
            CAPTURE(blueprint.name);
            CAPTURE(file.type);
            const Preset preset = preset_of(model, file.type);
            CHECK(static_cast<double>(preset.file_bytes) ==
                  doctest::Approx(static_cast<double>(file.size_bytes)).epsilon(0.001));
            n_files++;
        }
        std::filesystem::remove(folder / "b.gguf");
    }
    CHECK(n_files > 80);
}

TEST_CASE("a preset that does not exist is refused with those that do") {
    const TemporaryFolder folder;
    write_tiny_model({}, folder / "m.gguf");
    const Model model = read_model((folder / "m.gguf").string());
    CHECK_THROWS_AS(preset_of(model, "Q9_X"), UsageError);
    CHECK(preset_of(model, "Q8_0").types.size() == model.tensors.size());
}
