#!/usr/bin/env bash
# What is left of a model after pruning: ech0's cut repaired, with biases alone and as it is; FLAP's score with biases
# (ours, which take in what earlier layers lost: kinder to it than its own); magnitude; and llama-quantize
# --prune-layers with the layers that hurt least one by one.
#
#   bench/prune_against_others.sh MODEL-f16.gguf TEXT.txt "10 20 30"
#
# Shares are percent of the weights outside embedding and output. KL divergence to the original, and by how much
# perplexity is more than the original's, by llama-perplexity on TEXT, which calibration never saw.
# Environment: ECH0, PEERS, CHUNKS (16) of 512 tokens, THREADS, TOKENS (12288) of calibration, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 3 ] || { sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 text=$2 shares=$3
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-16} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/prune-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"
perplexity() { "$peers/llama-perplexity" -m "$1" -f "$text" -t "$threads" --kl-divergence --kl-divergence-base "$work/original.kld" 2>&1; }
figures() { perplexity "$1" | awk '/Mean PPL\(Q\)-PPL\(base\)/ { ppl = $4 } /Mean +KLD:/ { kl = $3 } END { if (kl == "") exit 1; printf "%s %s", kl, ppl }'; }

[ -s "$work/original.kld" ] || "$peers/llama-perplexity" -m "$model" -f "$text" -t "$threads" --chunks "$chunks" --save-all-logits "$work/original.kld" > "$work/original.log" 2>&1
n_layer=$("$ech0" inspect "$model" --json | sed -n 's/.*"n_layer": *\([0-9]*\).*/\1/p' | head -1)

# Each layer alone, on few chunks: the order in which llama-quantize is given them.
if [ ! -s "$work/layers" ]; then
  [ -s "$work/few.kld" ] || "$peers/llama-perplexity" -m "$model" -f "$text" -t "$threads" --chunks 2 --save-all-logits "$work/few.kld" > "$work/few.log" 2>&1
  for i in $(seq 0 $((n_layer - 1))); do
    "$peers/llama-quantize" --prune-layers "$i" "$model" "$work/one.gguf" F16 "$threads" > "$work/quantize.log" 2>&1
    "$peers/llama-perplexity" -m "$work/one.gguf" -f "$text" -t "$threads" --kl-divergence --kl-divergence-base "$work/few.kld" 2>&1 | awk -v i="$i" '/Mean +KLD:/ { print $3, i }'
  done | sort -g > "$work/layers"
fi
{ echo "# command: $0 $(basename "$model") $(basename "$text") \"$shares\"; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$ech0" --version)"
  echo "# text sha256: $(sha256sum "$text" | cut -c1-64); $chunks chunks of 512; calibration ${TOKENS:-12288} tokens; $threads threads"
  echo "share,method,bytes,kl,perplexity_more"; } > "$csv"
printf '%-6s %-22s %12s %10s %12s\n' share method bytes KL "ppl more"
row() { read -r kl ppl <<< "$(figures "$3")"; printf '%-6s %-22s %12d %10s %12s\n' "$1 %" "$2" "$(wc -c < "$3")" "$kl" "$ppl"; echo "$1,$2,$(wc -c < "$3"),$kl,$ppl" >> "$csv"; }
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
  done
  n=$(( (n_layer * share + 50) / 100 ))
  "$peers/llama-quantize" --prune-layers "$(head -"$n" "$work/layers" | awk '{ print $2 }' | sort -n | paste -sd,)" "$model" "$work/layers.gguf" F16 "$threads" > "$work/quantize.log" 2>&1
  row "$share" "best $n layers" "$work/layers.gguf"
done
