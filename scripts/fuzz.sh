#!/usr/bin/env bash
# Build the harnesses in fuzz/ with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and run each.
#
#   scripts/fuzz.sh FOLDER [HARNESS...]      e.g. scripts/fuzz.sh build-fuzz gguf
#
# SECONDS_EACH (60) for each harness. What they found worth keeping stays in FOLDER/corpus, so the next run goes on from
# there; an input that broke something is kept in FOLDER/found and its path printed.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="${1:?usage: scripts/fuzz.sh FOLDER [HARNESS...]}"
shift
scripts/setup.sh build fuzz
export CCACHE_BASEDIR="$PWD"
cmake -S . -B "$folder" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER_LAUNCHER=ccache \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DECH0_SANITIZE=ON -DECH0_FUZZ=ON -DECH0_BUILD_TESTS=OFF \
    -DECH0_LLAMA_PREFIX="$(scripts/engine.sh)" --log-level=WARNING || die "configuring $folder failed"
harnesses=("$@")
if [ ${#harnesses[@]} -eq 0 ]; then
    for source in fuzz/*_fuzz.cpp; do harnesses+=("$(basename "$source" _fuzz.cpp)"); done
fi
cmake --build "$folder" --parallel "$(jobs_wanted)" --target fuzz_seeds "${harnesses[@]/#/fuzz_}" || die "building $folder failed"

mkdir -p "$folder/seeds" "$folder/found"
"$folder/fuzz/fuzz_seeds" "$folder/seeds"
cp web/tests/runs/*.json "$folder/seeds/run_json/"
broken=0
for name in "${harnesses[@]}"; do
    mkdir -p "$folder/corpus/$name"
    note "fuzz $name for ${SECONDS_EACH:-60} s"
    if ! ASAN_OPTIONS=allocator_may_return_null=1 "$folder/fuzz/fuzz_$name" "$folder/corpus/$name" "$folder/seeds/$name" \
        -max_total_time="${SECONDS_EACH:-60}" -max_len=100000 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$folder/found/$name-" > "$folder/$name.log" 2>&1; then
        broken=1
        note "$name broke: $(grep -m1 -E 'ERROR|SUMMARY|runtime error' "$folder/$name.log"); input: $(grep -o "$folder/found/[^ ]*" "$folder/$name.log" | tail -1)"
    fi
    note "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log") inputs, $(grep -oE 'cov: [0-9]+' "$folder/$name.log" | tail -1 | cut -d' ' -f2) edges"
done
rm -rf /dev/shm/ech0-fuzz-*
exit "$broken"
