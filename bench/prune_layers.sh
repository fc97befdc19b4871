#!/usr/bin/env bash
# What is left of a model when whole layers go, and what the repair is worth then: as cut, with biases, and with the
# matrices before the gap fitted to what the gone layers added to the stream.
#
#   bench/prune_layers.sh MODEL-f16.gguf TEXT.txt "1 3 6"
#
# KL divergence to the original, and by how much perplexity is more than the original's, by llama-perplexity on TEXT, which
# calibration never saw. Which layers go is ech0's choice, the same for all three.
# Environment: ECH0, PEERS, CHUNKS (8) of 512 tokens, THREADS, TOKENS (12288) of calibration, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 3 ] || { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 text=$2 numbers=$3
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-8} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/prune-layers-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"
source bench/judge.sh
keep_original "$model"
{ echo "# command: $0 $(basename "$model") $(basename "$text") \"$numbers\"; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$ech0" --version | tr '\n' ' ')"
  echo "# machine: $(lscpu 2> /dev/null | sed -n 's/^Model name: *//p'); text sha256: $(sha256sum "$text" | cut -c1-64); $chunks chunks of 512; calibration ${TOKENS:-12288} tokens; $threads threads"
  echo "layers,repair,layers_kept,kl,perplexity_more,perplexity_ratio"; } | tee "$csv"
for n in $numbers; do
  for repair in off bias full; do
    "$ech0" prune "$model" --layers "$n" --repair "$repair" -o "$work/pruned.gguf" --threads "$threads" --tokens "${TOKENS:-12288}" --keep-work --json > "$work/$n-$repair.json" 2> "$work/log" || { tail -3 "$work/log" >&2; exit 1; }
    kept=$(awk '/"layer":/ { gsub(/[^0-9]/, "", $2); printf "%s%s", sep, $2; sep = " " }' "$work/$n-$repair.json")
    read -r kl ppl ratio <<< "$(judged "$work/pruned.gguf")"
    echo "$n,$repair,$kept,$kl,$ppl,$ratio" | tee -a "$csv"
  done
done
