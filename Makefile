# Every target does all of its own set-up: system packages, engine, models. On a fresh Debian 12, Ubuntu 24.04 or macOS
# `make demo` and `make test` need git and make only. `make help` lists the targets.

BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell getconf _NPROCESSORS_ONLN)
export JOBS

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help build server voice demo demo-model test test-models web web-test schemas peers bench asan fuzz soak format format-check tidy lint install package clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-20s %s\n", $$1, $$2 }'

build: ## the program, build/ech0
	@scripts/build.sh $(BUILD)

server: build ## llama-server and ggml-rpc-server of the same engine, which `ech0 serve` and --rpc run
	@scripts/engine.sh peers $(BUILD)/engine llama-server ggml-rpc-server

voice: ## microphone and loudspeaker built in (PortAudio), and what `ech0 talk` needs fetched (230 MB)
	@scripts/setup.sh build voice
	@scripts/build.sh $(BUILD) --fresh
	@$(BUILD)/ech0 setup --voice

demo: build demo-model ## the whole chain on a small real model, then a chat line
	@$(BUILD)/ech0 demo

# The peers that the tests run beside us; the others take longer to build and no test needs them.
TEST_PEERS = llama-quantize llama-perplexity llama-server

test: server demo-model ## all tests
	@scripts/engine.sh peers $(BUILD)/peers $(TEST_PEERS)
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error --parallel $(JOBS)

peers: ## the engine's own tools, for comparison, in build/peers
	@scripts/setup.sh build
	@scripts/engine.sh peers $(BUILD)/peers

web: ## the page that is built into the program, web/page.html, from its sources (Node 20, npm)
	@scripts/web.sh build

web-test: build ## is the page what its sources build, does it decide as the program does, does it work in a browser
	@scripts/web.sh test $(BUILD)

schemas: build ## docs/schemas, from docs/json.md
	@scripts/schemas.sh $(BUILD)

demo-model:
	@scripts/setup.sh build
	@scripts/demo_model.sh > /dev/null

test-models:
	@scripts/setup.sh build
	@scripts/test_models.sh > /dev/null

bench: build peers test-models ## the comparisons with llama.cpp's own tools (hours; TEXT=FILE to judge on)
	@scripts/bench.sh $(BUILD)

asan: demo-model ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan
	@scripts/build.sh build-asan -DECH0_SANITIZE=ON
	@scripts/engine.sh peers build-asan/peers $(TEST_PEERS)
	@scripts/engine.sh peers build-asan/engine llama-server ggml-rpc-server
	@ctest --test-dir build-asan --output-on-failure --no-tests=error --parallel $(JOBS)

fuzz: ## every harness in fuzz/ for a minute each, from the inputs of earlier runs (clang; SECONDS_EACH=60)
	@scripts/fuzz.sh build-fuzz

soak: build demo-model ## hours: every harness for half an hour, faults at 200 points of each kind, kills at random moments
	@SECONDS_EACH=1800 scripts/fuzz.sh build-fuzz
	@ECH0_FAULT_POINTS=200 $(BUILD)/ech0_tests --source-file='*faults_test*'
	@bench/kill_at_random.sh $(BUILD)

format: ## rewrite the sources as .clang-format says
	@scripts/format.sh

format-check: ## say which sources are not as .clang-format says
	@scripts/format.sh --check

tidy: build ## clang-tidy over all sources
	@scripts/tidy.sh $(BUILD)

lint: ## shellcheck over the scripts
	@scripts/setup.sh lint
	@shellcheck -x -P scripts scripts/*.sh bench/*.sh tests/*/*.sh .ci/run

# `sudo make install` after `make build` installs what the user built; root would build it all anew in a cache of its own.
install: ## program, library, headers and texts into PREFIX (/usr/local)
	@if [ -z "$$SUDO_USER" ] || [ ! -x $(BUILD)/ech0 ]; then $(MAKE) --no-print-directory server; fi
	@cmake --install $(BUILD) --prefix $(PREFIX)

package: server ## a .deb (on Debian and Ubuntu) and a tarball of what install puts, in build/packages
	@cd $(BUILD) && cpack

clean: ## remove what was built here; the engine and the models stay in the cache
	rm -rf $(BUILD) build-asan build-fuzz
