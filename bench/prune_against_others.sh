#!/usr/bin/env bash
# What is left of a model after pruning: ech0's cut repaired, with biases alone and as it is; FLAP's score with biases
# (ours, which take in what earlier layers lost: kinder to it than its own); magnitude; and whole layers, those that
# hurt least one by one, removed by ech0 without repair, and by llama-quantize --prune-layers told the same layers. (At
# llama.cpp 4df29be the latter writes the first layers' data whichever it is told: the last layers go.)
#
#   bench/prune_against_others.sh MODEL-f16.gguf TEXT.txt "10 20 30"
#
# Shares are percent of the weights outside embedding and output. KL divergence to the original, and by how much
# perplexity is more than the original's, by llama-perplexity on TEXT, which calibration never saw.
# Environment: ECH0, PEERS, CHUNKS (16) of 512 tokens, THREADS, TOKENS (12288) of calibration, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 3 ] || { sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 text=$2 shares=$3
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-16} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/prune-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"
source bench/judge.sh
keep_original "$model"
n_layer=$("$ech0" inspect "$model" --json | sed -n 's/.*"n_layer": *\([0-9]*\).*/\1/p' | head -1)
{ echo "# command: $0 $(basename "$model") $(basename "$text") \"$shares\"; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$ech0" --version)"
  echo "# text sha256: $(sha256sum "$text" | cut -c1-64); $chunks chunks of 512; calibration ${TOKENS:-12288} tokens; $threads threads"
  echo "share,method,bytes,kl,perplexity_more,perplexity_ratio"; } > "$csv"
printf '%-6s %-22s %12s %10s %12s %10s\n' share method bytes KL "ppl more" "ppl ratio"
row() { read -r kl ppl ratio <<< "$(judged "$3")"; printf '%-6s %-22s %12d %10s %12s %10s\n' "$1 %" "$2" "$(wc -c < "$3")" "$kl" "$ppl" "$ratio"; echo "$1,$2,$(wc -c < "$3"),$kl,$ppl,$ratio" >> "$csv"; }
for share in $shares; do
  for method in "ech0 repaired" "ech0 with biases" "ech0 as cut" "FLAP" "magnitude"; do
    case $method in
      "ech0 repaired") options=() ;;
      "ech0 with biases") options=(--repair bias) ;;
      "ech0 as cut") options=(--repair off) ;;
      FLAP) options=(--score flap --repair bias) ;;
      magnitude) options=(--score magnitude --repair off) ;;
    esac
    "$ech0" prune "$model" --remove "$share%" -o "$work/pruned.gguf" --threads "$threads" --tokens "${TOKENS:-12288}" --keep-work --json "${options[@]}" > "$work/$share-${method// /-}.json" 2> "$work/log" || { tail -3 "$work/log" >&2; exit 1; }
    row "$share" "$method" "$work/pruned.gguf"
    [ "$method" != "ech0 repaired" ] || cp "$work/pruned.gguf" "$work/pruned-$share.gguf" # for prune_speed.sh
  done
  # Whole layers: those whose loss alone hurts least, which is what llama-quantize is told to remove, too.
  n=$(( (n_layer * share + 50) / 100 ))
  "$ech0" prune "$model" --layers "$n" --repair off -o "$work/pruned.gguf" --threads "$threads" --tokens "${TOKENS:-12288}" --keep-work --json > "$work/$share-layers.json" 2> "$work/log"
  row "$share" "best $n layers" "$work/pruned.gguf"
  kept=$(awk '/"layer":/ { gsub(/[^0-9]/, "", $2); print $2 }' "$work/$share-layers.json")
  gone=$(seq 0 $((n_layer - 1)) | grep -vxF "$kept" | paste -sd,)
  "$peers/llama-quantize" --prune-layers "$gone" "$model" "$work/layers.gguf" F16 "$threads" > "$work/quantize.log" 2>&1
  row "$share" "llama-quantize $n layers" "$work/layers.gguf"
done
