#!/usr/bin/env bash
# What pruning is worth in speed and memory: the model and what is left of it after each share, by `ech0 bench` in one
# run; its predictions stand beside what it measures.
#
#   bench/prune_speed.sh MODEL-f16.gguf "10 20 30"
#
# Environment: ECH0, THREADS, WORK (that of prune_against_others.sh has the pruned files already), CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 2 ] || { sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 shares=$2
ech0=${ECH0:-build/ech0} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/prune-speed-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"
files=("$model")
for share in $shares; do
  [ -s "$work/pruned-$share.gguf" ] || "$ech0" prune "$model" --remove "$share%" -o "$work/pruned-$share.gguf" --threads "$threads" --json > "$work/$share.json" 2> "$work/log"
  files+=("$work/pruned-$share.gguf")
done
"$ech0" bench "${files[@]}" --threads "$threads" --repeat 5 --json > "$work/bench.json" 2> "$work/log"
{ echo "# command: $0 $(basename "$model") \"$shares\"; $threads threads"
  echo "# machine: $(lscpu 2> /dev/null | sed -n 's/^Model name: *//p'); commit: $(git rev-parse --short HEAD); $("$ech0" --version | tr '\n' ' ')"
  python3 - "$work/bench.json" << 'ROWS'
import json, os, sys
models = json.load(open(sys.argv[1]))["models"]
kinds = ["tokens_per_s", "prompt_tokens_per_s", "memory_bytes"]
print("file,bytes," + ",".join(f"{k},{k}_predicted,{k}_against_original" for k in kinds))
for m in models:
    row = [os.path.basename(m["path"]), os.path.getsize(m["path"])]
    for k in kinds:
        row += [f'{m[k]["measured"]:.6g}', f'{m[k]["predicted"]:.6g}', f'{m[k]["measured"] / models[0][k]["measured"]:.3f}']
    print(*row, sep=",")
ROWS
} | tee "$csv"
