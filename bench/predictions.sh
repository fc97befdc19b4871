#!/usr/bin/env bash
# Does what ech0 says of memory and speed beforehand hold?
#
#   bench/predictions.sh MODEL.gguf... [-- SHAPE:TYPE...]
#
# Each MODEL is run with several contexts, cache types and numbers of threads, each SHAPE (a blueprint, such as
# qwen2.5:7b:Q4_K) as a hollow model of zeros, by `ech0 bench`: predicted beside measured. Speeds of 30 cases should lie
# inside their interval in 27; memory within 3 % and never under by more than 2 %.
# Environment: ECH0 (build/ech0), MAKE_HOLLOW (build/bench/make_hollow_model), WORK (a temporary folder), CSV, PROMPT (512), REPEAT (3).
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
models=(); while [ $# -gt 0 ] && [ "$1" != -- ]; do models+=("$1"); shift; done
[ $# -eq 0 ] || shift
ech0=${ECH0:-build/ech0} make_hollow=${MAKE_HOLLOW:-build/bench/make_hollow_model} prompt=${PROMPT:-512}
csv=${CSV:-bench/results/predictions.csv}; mkdir -p "$(dirname "$csv")"
if [ -z "${WORK:-}" ]; then WORK=$(mktemp -d); trap 'rm -rf "$WORK"' EXIT; fi
machine=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo 2> /dev/null || sysctl -n machdep.cpu.brand_string)
{
    echo "# command: $0; machine: $machine; commit: $(git rev-parse --short HEAD 2> /dev/null || echo unknown); $("$ech0" --version)"
    echo "# a prompt of $prompt tokens, an answer of 32, medians of ${REPEAT:-3} runs"
    echo "model,ctx,cache,threads,quantity,predicted,low,high,measured,measured_over_predicted,hit"
} > "$csv"

# run MODEL LABEL CTX CACHE THREADS
run() {
    "$ech0" bench "$1" --ctx "$3" --kv "$4" --threads "$5" --prompt "$prompt" --generate 32 --repeat "${REPEAT:-3}" --json 2> /dev/null > "$WORK/one.json" || { echo "$2 $3 $4 $5: failed" >&2; return 0; }
    awk -v label="$2,$3,$4,$5" '
        /"(tokens_per_s|prompt_tokens_per_s|memory_bytes)": \{/ { gsub(/[":{ ]/, ""); quantity = $0 }
        quantity != "" && /"(measured|predicted|low|high|hit)":/ { gsub(/[", ]/, ""); split($0, kv, ":"); v[kv[1]] = kv[2]
            if (kv[1] == "hit") { printf "%s,%s,%s,%s,%s,%s,%.4f,%s\n", label, quantity, v["predicted"], v["low"], v["high"], v["measured"], v["measured"] / v["predicted"], v["hit"]; quantity = "" } }' "$WORK/one.json" | tee -a "$csv"
}

threads=$(getconf _NPROCESSORS_ONLN)
for model in "${models[@]}"; do
    for t in 1 "$threads"; do run "$model" "$(basename "$model" .gguf)" 2048 f16 "$t"; done
    run "$model" "$(basename "$model" .gguf)" 4096 q8_0 "$threads"
    run "$model" "$(basename "$model" .gguf)" 8192 q4_0 "$threads"
done
for shape in "$@"; do
    type=${shape##*:}; name=${shape%:*}; hollow=$WORK/hollow-${shape//:/-}.gguf  # each has scores of its own
    "$make_hollow" "$name" "$type" "$hollow"
    run "$hollow" "hollow $name $type" 512 f16 "$threads"
    run "$hollow" "hollow $name $type" 8192 q8_0 "$threads"
    run "$hollow" "hollow $name $type" 32768 q4_0 "$threads"
    rm -f "$hollow"
done
awk -F, '!/^#/ && $1 != "model" {
        if ($5 == "memory_bytes") { m++; off = $10 - 1; if (off > 0.02) under++; if (off < -0.03 || off > 0.03) far++; if (off > worst) worst = off; if (off < least) least = off }
        if ($5 == "tokens_per_s") { s++; if ($11 == "true") hits++; half = ($8 - $7) / (2 * $6); if (half > widest) widest = half }
        if ($5 == "prompt_tokens_per_s") { p++; if ($11 == "true") phits++ } }
    END { printf "memory: %d cases, measured %+.1f %% to %+.1f %% of predicted, %d beyond 3 %%, %d under by more than 2 %%\n", m, 100 * least, 100 * worst, far, under
          printf "tokens/s: %d of %d inside, half-width at most %.0f %%; prompt tokens/s: %d of %d inside\n", hits, s, 100 * widest, phits, p }' "$csv"
