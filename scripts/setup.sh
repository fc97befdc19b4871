#!/usr/bin/env bash
# Install the system packages that building ech0 needs, and only those that are missing.
#
#   scripts/setup.sh [GROUP...]      groups: build (the default), test, voice, bench, format, fuzz, tidy, lint, web
#
# Debian and Ubuntu: apt-get, with sudo if need be. macOS: brew. Prints what it installs before it does.
# ECH0_NO_INSTALL=1: install nothing; say what is missing and stop.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# group  how to tell that it is there         apt package          brew formula ("-": comes with the system)
needs() {
    cat << 'TABLE'
build    command:c++                          g++                  -
build    command:make                         make                 -
build    command:cmake                        cmake                cmake
build    command:ninja                        ninja-build          ninja
build    command:ccache                       ccache               ccache
build    command:git                          git                  git
build    command:python3                      python3              python3
build    python:ensurepip                     python3-venv         python3
build    certificates:                        ca-certificates      -
build    header:CLI/CLI.hpp                   libcli11-dev         cli11
build    header:fmt/core.h                    libfmt-dev           fmt
build    header:nlohmann/json.hpp             nlohmann-json3-dev   nlohmann-json
build    eigen:                               libeigen3-dev        eigen
build    header:openssl/evp.h                 libssl-dev           openssl@3
build    header:httplib.h                     libcpp-httplib-dev   cpp-httplib
build    header:toml++/toml.h                 libtomlplusplus-dev  tomlplusplus
build    header:histedit.h                    libedit-dev          -
build    header:zlib.h                        zlib1g-dev           -
build    header:minizip/unzip.h               libminizip-dev       minizip
test     header:doctest/doctest.h             doctest-dev          doctest
test     command:patch                        patch                -
bench    command:zstd                         zstd                 zstd
voice    header:portaudio.h                   portaudio19-dev      portaudio
voice    command:espeak-ng                    espeak-ng            espeak-ng
fuzz     command:clang++                      clang                llvm
fuzz     openmp:                              libomp-dev           libomp
fuzz     sanitizers:                          clang-runtime        llvm
tidy     command:clang-tidy                   clang-tidy           llvm
lint     command:shellcheck                   shellcheck           shellcheck
web      command:node                         nodejs               node
web      command:npm                          npm                  node
web      browser:                             chromium             -
TABLE
}

has_header() {
    local include=()
    if has brew; then include=(-I "$(brew --prefix)/include" -I "$OPENSSL_ROOT_DIR/include"); fi
    printf '#if !__has_include(<%s>)\n#error missing\n#endif\n' "$1" |
        c++ -std=c++17 ${include[@]+"${include[@]}"} -fsyntax-only -x c++ - > /dev/null 2>&1
}

is_there() { # PROBE:WHAT
    local what="${1#*:}"
    case "$1" in
        command:*) has "$what" ;;
        browser:*) has chromium || has chromium-browser || has google-chrome || [ "$(uname)" = Darwin ] ;;
        header:*) has_header "$what" ;;
        eigen:*) has_header Eigen/Core || has_header eigen3/Eigen/Core ;;
        openmp:*) has clang++ && echo '#include <omp.h>' | clang++ -fopenmp -fsyntax-only -x c++ - > /dev/null 2>&1 ;;
        sanitizers:*) has clang++ && echo 'int main() {}' | clang++ -fsanitize=address,undefined -x c++ - -o /dev/null > /dev/null 2>&1 ;;
        python:*) python3 -c "import $what" > /dev/null 2>&1 ;;
        certificates:*) [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/ssl/cert.pem ] ||
            [ -s /etc/pki/tls/certs/ca-bundle.crt ] ;;
    esac
}

# Debian and Ubuntu name the sanitizers' libraries by clang's version, and have no name for "that of the default clang".
clang_runtime() { echo "libclang-rt-$(apt-cache depends clang | sed -n 's/.*clang-\([0-9]*\)$/\1/p' | head -1)-dev"; }

# The missing ones of the wanted groups, in the words of column $1 (2: what it is, 3: apt package, 4: brew formula).
missing() {
    local column="$1" group probe apt brew
    needs | while read -r group probe apt brew; do
        case " $groups " in *" $group "*) ;; *) continue ;; esac
        if is_there "$probe"; then continue; fi
        case "$column" in
            2) echo "${probe#*:}" ;;
            3) if [ "$apt" = clang-runtime ]; then clang_runtime; else echo "$apt"; fi ;;
            4) if [ "$brew" != - ]; then echo "$brew"; fi ;;
        esac
    done | sort -u | tr '\n' ' '
}

install_by_apt() { # PACKAGE...
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || die "not root and no sudo: have root run 'apt-get install $*', then try again"
        root=(sudo)
        if [ ! -t 0 ]; then root=(sudo -n); fi # without a terminal nobody can answer sudo
    fi
    local apt=(${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    # A stale list of some other repository is no reason to stop; a package that can't be had is.
    "${apt[@]}" update > /dev/null || note "apt-get update reported a problem; going on"
    "${apt[@]}" install --no-install-recommends "$@" >&2 || die "apt-get could not install: $*; see its message above"
}

groups="${*:-build}"
found_missing="$(missing 2)"
if [ -z "$found_missing" ]; then exit 0; fi

if has apt-get; then
    tool=apt-get packages="$(missing 3)"
elif has brew; then
    tool=brew packages="$(missing 4)"
else
    die "missing: ${found_missing% }; install them by your system's package manager and try again"
fi
if [ "${ECH0_NO_INSTALL:-0}" != 0 ]; then
    die "missing, and ECH0_NO_INSTALL is set: run '$tool install ${packages% }'"
fi

note "installing by $tool: $packages"
# shellcheck disable=SC2086  # a list of names, split on purpose
case "$tool" in
    apt-get) install_by_apt $packages ;;
    brew) NONINTERACTIVE=1 brew install --quiet $packages >&2 || die "brew could not install: $packages; see its message above" ;;
esac

still_missing="$(missing 2)"
if [ -n "$still_missing" ]; then die "still missing after $tool install $packages: $still_missing"; fi
