#!/usr/bin/env bash
# What does compressing a large model take: memory against --memory, and seconds against its layers?
#
#   bench/compress_memory.sh BLUEPRINT TYPE MEMORY "LAYERS…" [-- ech0 compress options]
#   bench/compress_memory.sh mistral:7b F16 3GiB "2 4 8" -- --type Q3_K
#
# For each number of layers: a model of the blueprint's shape with random weights in TYPE (all its layers the same), and
# ech0 compress under --memory. Samples the process's own memory (RssAnon) and its pages of files (RssFile, which the
# system takes back when it wants) every second; Linux only. Environment: ECH0, MAKE_RANDOM_MODEL, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
[ $# -ge 4 ] || usage
blueprint=$1 type=$2 memory=$3 layers=$4; shift 4
[ "${1:-}" != -- ] || shift
[ $# -gt 0 ] || set -- --type Q3_K
ech0=${ECH0:-build/ech0} make_random_model=${MAKE_RANDOM_MODEL:-build/bench/make_random_model}
csv=${CSV:-bench/results/compress-memory.csv}; mkdir -p "$(dirname "$csv")"
if [ -n "${WORK:-}" ]; then work=$WORK; mkdir -p "$work"; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi

[ -s "$csv" ] || echo "blueprint,type,n_layer,file_bytes,memory_limit,predicted_bytes,peak_bytes,peak_own_bytes,seconds,options,commit" > "$csv"
printf '%-14s %6s %10s %10s %14s %10s %9s %9s\n' blueprint layers "file MB" "--memory" "predicted MiB" "peak MiB" "own MiB" seconds
for n in $layers; do
  model="$work/model-$n.gguf"
  [ -s "$model" ] || "$make_random_model" "$model" "$blueprint" "$type" "$n"
  "$ech0" compress "$model" -o "$work/out.gguf" --memory "$memory" --no-proof --fresh --effort 1 --json "$@" > "$work/out.json" 2> "$work/log" & pid=$!
  while kill -0 "$pid" 2>/dev/null; do awk '/^RssAnon/ { printf "%.0f\n", $2 * 1024 }' "/proc/$pid/status" 2>/dev/null || true; sleep 1; done > "$work/own"
  wait "$pid" || { tail -3 "$work/log" >&2; exit 1; }
  field() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$work/out.json" | tail -1; }
  own=$(sort -n "$work/own" | tail -1)
  awk -v b="$blueprint" -v t="$type" -v n="$n" -v f="$(wc -c < "$model")" -v m="$memory" -v p="$(field predicted_peak_memory_bytes)" -v k="$(field peak_memory_bytes)" \
      -v o="$own" -v s="$(field seconds)" -v x="$*" -v commit="$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" -v csv="$csv" 'BEGIN { mib = 1048576
    printf "%-14s %6d %10.0f %10s %14.0f %10.0f %9.0f %9.0f\n", b, n, f / 1e6, m, p / mib, k / mib, o / mib, s
    printf "%s,%s,%d,%.0f,%s,%.0f,%.0f,%.0f,%.0f,%s,%s\n", b, t, n, f, m, p, k, o, s, x, commit >> csv }'
  rm -f "$work/out.gguf"; [ -n "${WORK:-}" ] || rm -f "$model"
done
