#!/usr/bin/env bash
# clang-format 14 over all sources, in place; with --check only say which files differ. Versions of clang-format
# disagree about the same settings, so this one is taken from PyPI's clang-format package whatever the system has.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=14.0.6
formatter="$ECH0_CACHE/python/bin/clang-format"

scripts/setup.sh build
need_cache_python
if ! "$formatter" --version 2> /dev/null | grep -q "version $version"; then
    note "fetching clang-format $version (once)"
    pip_or_die "can't install the Python package clang-format==$version" install "clang-format==$version"
fi

sources() { git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp'; }

if [ "${1:-}" = --check ]; then
    sources | xargs -0 "$formatter" --dry-run --Werror || die "some sources are not formatted: run 'make format'"
else
    sources | xargs -0 "$formatter" -i
fi
