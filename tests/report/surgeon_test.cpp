#include "report/surgeon.h"

#include <doctest/doctest.h>

namespace ech0 {

TEST_CASE("the surgeon's page has each claim once, how often it was made, and what the numbers came to") {
    const Brief brief{"m", "llama", 0, {{"n_layer", 30, "30 layers", "computed"}}};
    const Opinion opinion{"How much?",
                          "plan",
                          "20, 20 or 20 of 30 layers",
                          {{"", "20", Finding::unsupported},
                           {"", "20", Finding::unsupported},
                           {"", "20", Finding::unsupported},
                           {"n_layer", "30", Finding::confirmed},
                           {"n_layer", std::string(500, '1'), Finding::wrong}},
                          false};
    const std::string page = surgeon_markdown(brief, "analyst", {opinion}, "");
    CHECK(page.find("- 20 (in words): **unsupported**, 3 times\n- 30 `n_layer`: **confirmed**\n") != std::string::npos);
    CHECK(page.find("1 confirmed, 1 wrong, 3 without a fact") != std::string::npos);
    CHECK(page.find(std::string(50, '1')) == std::string::npos);
    CHECK(page.find("(the answer broke off)") != std::string::npos);
    CHECK(surgeon_json(brief, "analyst", {opinion}, "")["opinions"][0]["claims"].size() == 5);
}

}  // namespace ech0
