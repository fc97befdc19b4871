#!/usr/bin/env bash
# Everything from a bare machine to binaries: system packages, engine, configure, compile.
#
#   scripts/build.sh FOLDER [CMAKE-FLAG...]      e.g. scripts/build.sh build-asan -DECH0_SANITIZE=ON
#
# CMAKE_FLAGS="-D…"    more flags, from the environment; -DECH0_LLAMA=system takes an installed llama.cpp
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CCACHE_BASEDIR="$PWD" # a second checkout finds what the first one compiled

build_dir="${1:?usage: scripts/build.sh FOLDER [CMAKE-FLAG...]}"
shift
# shellcheck disable=SC2206  # a list of flags, split on purpose
flags=("$@" ${CMAKE_FLAGS:-})

scripts/setup.sh build test
case " ${flags[*]-} " in
    *" -DECH0_LLAMA=system "*) ;;
    *)
        prefix="$(scripts/engine.sh)"
        flags+=("-DECH0_LLAMA_PREFIX=$prefix")
        # CMake remembers every library that it found: after a change of engine it must look again.
        if ! grep -qsx "ECH0_LLAMA_PREFIX:PATH=$prefix" "$build_dir/CMakeCache.txt"; then flags+=(--fresh); fi
        ;;
esac
cmake -S . -B "$build_dir" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache \
    "${flags[@]}" --log-level=WARNING || die "configuring $build_dir failed; the reason stands above"
cmake --build "$build_dir" --parallel "$(jobs_wanted)" || die "building $build_dir failed; the reason stands above"
