#!/usr/bin/env bash
# What does pruning a large model take: seconds and memory against its layers?
#
#   bench/prune_memory.sh BLUEPRINT TYPE "LAYERS…" [-- ech0 prune options]
#   bench/prune_memory.sh mistral:7b F16 "2 4" -- --remove 20%
#
# For each number of layers: a model of the blueprint's shape with random weights in TYPE (all its layers the same), and
# ech0 prune. Samples the process's own memory (RssAnon) every second; its pages of files, which the system takes back
# when it wants, count in the peak that ech0 reports. Linux only. Environment: ECH0, MAKE_RANDOM_MODEL, THREADS, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 3 ] || { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
blueprint=$1 type=$2 layers=$3; shift 3
[ "${1:-}" != -- ] || shift
[ $# -gt 0 ] || set -- --remove 20%
ech0=${ECH0:-build/ech0} make_random_model=${MAKE_RANDOM_MODEL:-build/bench/make_random_model} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
csv=${CSV:-bench/results/prune-memory.csv}; mkdir -p "$(dirname "$csv")"
if [ -n "${WORK:-}" ]; then work=$WORK; mkdir -p "$work"; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi

[ -s "$csv" ] || echo "blueprint,type,n_layer,file_bytes,peak_bytes,peak_own_bytes,seconds,processor_seconds,threads,options,commit" > "$csv"
printf '%-14s %6s %10s %10s %9s %9s %11s\n' blueprint layers "file MB" "peak MiB" "own MiB" seconds "cpu seconds"
for n in $layers; do
  model="$work/model-$n.gguf"
  [ -s "$model" ] || "$make_random_model" "$model" "$blueprint" "$type" "$n"
  "$ech0" prune "$model" -o "$work/out.gguf" --threads "$threads" --json "$@" > "$work/out.json" 2> "$work/log" & pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    awk '/^RssAnon/ { printf "%.0f\n", $2 * 1024 }' "/proc/$pid/status" >> "$work/own" 2>/dev/null || true
    awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$pid/stat" > "$work/ticks.new" 2>/dev/null && [ -s "$work/ticks.new" ] && mv "$work/ticks.new" "$work/ticks"
    sleep 1
  done
  wait "$pid" || { tail -3 "$work/log" >&2; exit 1; }
  field() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$work/out.json" | tail -1; }
  own=$(sort -n "$work/own" | tail -1); rm -f "$work/own"
  awk -v b="$blueprint" -v t="$type" -v n="$n" -v f="$(wc -c < "$model")" -v k="$(field peak_memory_bytes)" -v o="$own" -v s="$(field seconds)" -v cpu="$(cat "$work/ticks")" \
      -v th="$threads" -v x="$*" -v commit="$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" -v csv="$csv" 'BEGIN { mib = 1048576
    printf "%-14s %6d %10.0f %10.0f %9.0f %9.0f %11.0f\n", b, n, f / 1e6, k / mib, o / mib, s, cpu
    printf "%s,%s,%d,%.0f,%.0f,%.0f,%.0f,%.0f,%d,%s,%s\n", b, t, n, f, k, o, s, cpu, th, x, commit >> csv }'
  rm -f "$work/out.gguf"; [ -n "${WORK:-}" ] || rm -f "$model"
done
