#include <filesystem>

#include <doctest/doctest.h>

#include "base/paths.h"
#include "support/run.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("without its model the demo says what fetches it") {
    const TemporaryFolder folder;
    RunOptions options;
    options.environment["ECH0_CACHE"] = (folder / "cache").string();
    const Finished ran = run_ech0({"demo"}, options);
    CHECK(ran.status == 2);
    CHECK(ran.out == "");
    CHECK(ran.err.find("the demo model is not here yet") != std::string::npos);
    CHECK(ran.err.find("'make demo' in the source folder fetches it") != std::string::npos);
}
