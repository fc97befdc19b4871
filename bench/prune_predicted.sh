#!/usr/bin/env bash
# How near is what `ech0 prune` predicts to what it then measures, on the same held-out text? The sum of single removals,
# the last check on the way (expected and measured), the prediction, the finished file.
#
#   bench/prune_predicted.sh MODEL-f16.gguf "5 10 20" ["off full"]
#
# Shares are percent of the weights outside embedding and output. Environment: ECH0, THREADS, TOKENS (12288) of
# calibration, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 shares=$2 repairs=${3:-off full}
ech0=${ECH0:-build/ech0} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
if [ -n "${WORK:-}" ]; then work=$WORK; mkdir -p "$work"; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi
csv=${CSV:-bench/results/prune-predicted.csv}; mkdir -p "$(dirname "$csv")"
[ -s "$csv" ] || echo "model,share,repair,added_up,check_expected,check,predicted,measured,commit" | tee "$csv"
for share in $shares; do
  for repair in $repairs; do
    "$ech0" prune "$model" --remove "$share%" --repair "$repair" -o "$work/pruned.gguf" --threads "$threads" --tokens "${TOKENS:-12288}" --keep-work --json > "$work/$share-$repair.json" 2> "$work/log" || { tail -3 "$work/log" >&2; exit 1; }
    python3 - "$(basename "$model" .gguf),$share,$repair" "$work/$share-$repair.json" "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" << 'ROW' | tee -a "$csv"
import json, sys
trial = next(t for t in json.load(open(sys.argv[2]))["trials"] if t["chosen"])
last = trial["checks"][-1] if trial["checks"] else {"kl_expected": float("nan"), "kl_divergence": float("nan")}
print(sys.argv[1], *(f"{x:.4f}" for x in (trial["kl_added_up"], last["kl_expected"], last["kl_divergence"], trial["kl_predicted"], trial["kl_divergence"])), sys.argv[3], sep=",")
ROW
  done
done
