# shellcheck shell=bash
# What every script here shares: where things are kept, how messages look, and a Python of our own. Source it; it runs
# nothing. It must work in bash 3.2 (macOS) and where none of our packages is installed yet.
set -euo pipefail

export ECH0_CACHE="${ECH0_CACHE:-${HOME:?set HOME, or ECH0_CACHE to a folder for downloads and builds}/.cache/ech0}"

# One compiler cache for the engine, its tools and ourselves, whatever folder they are built in.
export CCACHE_DIR="${ECH0_CCACHE_DIR:-$ECH0_CACHE/ccache}" CCACHE_NOHASHDIR=1

note() { printf 'ech0: %s\n' "$*" >&2; }

die() {
    note "$*"
    exit 2
}

has() { command -v "$1" > /dev/null 2>&1; }

# Homebrew keeps some of what it installs away from where programs and CMake look.
if has brew; then
    brew_opt="$(brew --prefix)/opt"
    PATH="$PATH:$brew_opt/llvm/bin"
    export OPENSSL_ROOT_DIR="${OPENSSL_ROOT_DIR:-$brew_opt/openssl@3}"
fi

cores() { getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2; }

# How much to do at once: what make was told (make JOBS=1 …), else one job a core.
jobs_wanted() { echo "${JOBS:-$(cores)}"; }

sha256() { # FILE, or standard input without one
    if has sha256sum; then sha256sum "$@"; else shasum -a 256 "$@"; fi | cut -d ' ' -f 1
}

# A folder that is gone when the script ends, however it ends, on the disk of the cache (so that `mv` into the cache is
# a rename: a file there is whole or absent).
make_scratch() {
    mkdir -p "$ECH0_CACHE"
    scratch="$(mktemp -d "$ECH0_CACHE/scratch.XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT
}

# A Python with pip in the cache: system Pythons refuse pip, or come without it. The user's own stays as it is.
cache_python="$ECH0_CACHE/python/bin/python3"
need_cache_python() {
    if "$cache_python" -m pip --version > /dev/null 2>&1; then return; fi
    has python3 || die "python3 is missing: run scripts/setup.sh"
    rm -rf "$ECH0_CACHE/python"
    python3 -m venv "$ECH0_CACHE/python" > /dev/null || die "python3 cannot make a virtual environment: run scripts/setup.sh"
}

# pip, in one line where it fails: what we could not do, and pip's own first error.
pip_or_die() { # WHAT PIP-ARGUMENT...
    local what="$1" said
    shift
    said="$("$cache_python" -m pip --quiet --disable-pip-version-check --no-input "$@" 2>&1)" ||
        die "$what ($(printf '%s\n' "$said" | sed -n 's/^ERROR: //p' | head -n 1)): check the network, then try again"
}
