#include "surgeon/brief.h"

#include <doctest/doctest.h>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace ech0 {

TEST_CASE("the brief has the model's own numbers, what removals would cost, and each one's grade") {
    const TemporaryFolder folder;
    TinyModel tiny;
    write_tiny_model(tiny, folder / "tiny.gguf");
    const Model model = read_model((folder / "tiny.gguf").string());
    const Brief brief =
        make_brief(model, {{0.1, 0.04, 0.05, 2, 512, 0}, {0.2, 0.3, 0.4, 3, 1024, 1}}, 2 * model.size_bytes);
    CHECK(brief.find("n_layer")->value == static_cast<double>(model.n_layer));
    CHECK(brief.find("budget_share_percent")->value == doctest::Approx(50));
    CHECK(brief.find("kl_remove_20_percent")->value == 0.4);
    CHECK(brief.find("kl_remove_20_percent")->grade == "measured");
    CHECK(brief.find("layers_remove_20_percent")->value == 1);
    CHECK(brief.find("attention_params")->value + brief.find("ffn_params")->value < brief.find("n_params")->value);
    CHECK(brief.find("n_unicorns") == nullptr);
    for (const Fact& f : brief.facts) CHECK(brief_text(brief).find(f.name + " = ") != std::string::npos);
}

TEST_CASE("counts stand in the brief in full, so that they can be repeated as they are") {
    CHECK(value_text({"ffn_params", 106191360, "", ""}) == "106191360");
    CHECK(value_text({"kl_remove_10_percent", 0.04317891, "", ""}) == "0.0431789");
    CHECK(value_text({"budget_gb", 21.2818, "", ""}) == "21.2818");
}

}  // namespace ech0
