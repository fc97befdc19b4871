#!/usr/bin/env bash
# clang-tidy over the sources, by the compile commands of a build folder; .clang-tidy says which checks.
#
#   scripts/tidy.sh FOLDER [FILE.cpp...]      without files: all of ours
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir="${1:?usage: scripts/tidy.sh FOLDER [FILE.cpp...]}"
shift
scripts/setup.sh build tidy

# What is really compiled here: not the other platform's files, nor those that the build generates.
compiled() {
    sed -n "s|^ *\"file\": \"$PWD/\(.*\)\",*|\1|p" "$build_dir/compile_commands.json" | grep -v "^$build_dir/" | sort -u
}

if [ $# -gt 0 ]; then printf '%s\n' "$@"; else compiled; fi | tr '\n' '\0' |
    xargs -0 -n 1 -P "$(jobs_wanted)" clang-tidy --quiet -p "$build_dir" 2> /dev/null ||
    die "clang-tidy found something; it stands above"
