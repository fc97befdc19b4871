#include "base/paths.h"

#include <doctest/doctest.h>

#include "ech0/error.h"
#include "support/temporary_folder.h"

using namespace ech0;

TEST_CASE("the folder of settings is ECH0_CONFIG, else below XDG_CONFIG_HOME, else below HOME") {
    const TemporaryVariable home("HOME", "/home/me"), xdg("XDG_CONFIG_HOME", "/xdg");
    {
        const TemporaryVariable config("ECH0_CONFIG", "/mine");
        CHECK(config_folder() == "/mine");
    }
    const TemporaryVariable config("ECH0_CONFIG", "");
    CHECK(config_folder() == "/xdg/ech0");
    const TemporaryVariable no_xdg("XDG_CONFIG_HOME", "");
    CHECK(config_folder() == "/home/me/.config/ech0");
    const TemporaryVariable no_home("HOME", "");
    CHECK_THROWS_AS(config_folder(), UsageError);
}

TEST_CASE("the cache is ECH0_CACHE, else below HOME, else nowhere") {
    const TemporaryVariable home("HOME", "/home/me");
    {
        const TemporaryVariable cache("ECH0_CACHE", "/c");
        CHECK(cache_folder() == "/c");
    }
    const TemporaryVariable cache("ECH0_CACHE", "");
    CHECK(cache_folder() == "/home/me/.cache/ech0");
    const TemporaryVariable no_home("HOME", "");
    CHECK_THROWS_AS(cache_folder(), UsageError);
}

TEST_CASE("the folder of what happened is ECH0_STATE, else below XDG_STATE_HOME, else below HOME") {
    const TemporaryVariable home("HOME", "/home/me"), xdg("XDG_STATE_HOME", "");
    {
        const TemporaryVariable state("ECH0_STATE", "/mine");
        CHECK(state_folder() == "/mine");
    }
    const TemporaryVariable state("ECH0_STATE", "");
    CHECK(state_folder() == "/home/me/.local/state/ech0");
    CHECK(home_folder() == "/home/me");
    const TemporaryVariable no_home("HOME", "");
    CHECK_THROWS_AS(state_folder(), UsageError);
    CHECK_THROWS_AS(home_folder(), UsageError);
}
