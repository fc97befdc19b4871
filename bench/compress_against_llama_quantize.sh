#!/usr/bin/env bash
# Is a file of ech0 closer to the original than the usual tool's file of the same size, and what does it cost?
#
#   bench/compress_against_llama_quantize.sh MODEL.gguf TEXT.txt[,TEXT.txt…] TYPE... [-- ech0 compress options]
#
# For each TYPE: llama-imatrix (on ech0's calibration text, once) + llama-quantize make a file; ech0 compress makes one of at most that
# size; llama-perplexity --kl-divergence judges both on each TEXT, none of which calibration saw. Both get the same calibration text and number of threads (THREADS, default: all) and run one after the
# other, so only ratios of times mean something. Second moments are gathered with the first size and used for the others.
# Environment: ECH0 (build/ech0), PEERS (build/peers), CHUNKS (16) of 512 tokens of each text, WORK (a temporary folder), CSV,
# CALIBRATION (a file that both tools calibrate on instead).
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
[ $# -ge 3 ] || usage
model=$1; IFS=, read -ra texts <<< "$2"; shift 2
types=(); while [ $# -gt 0 ] && [ "$1" != -- ]; do types+=("$1"); shift; done
[ $# -eq 0 ] || shift
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-16} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/compress-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"

seconds() { local from; from=$(date +%s.%N); "$@" >"$work/last.log" 2>&1 || { tail -5 "$work/last.log" >&2; exit 1; }; date +%s.%N | awk -v from="$from" '{ printf "%.1f", $1 - from }'; }
once() { [ -s "$work/$1.s" ] || seconds "${@:2}" > "$work/$1.s"; cat "$work/$1.s"; }  # kept in WORK, with how long it took
kl_of() { "$peers/llama-perplexity" -m "$1" -f "$2" -t "$threads" --kl-divergence --kl-divergence-base "$3" 2>&1 | awk '/Mean +KLD:/ { print $3; found = 1 } END { if (!found) exit 1 }'; }

calibration=()
if [ -n "${CALIBRATION:-}" ]; then calibration=(--calibration "$CALIBRATION"); cp "$CALIBRATION" "$work/calibration.txt"; else "$ech0" calibrate "$model" --print-text > "$work/calibration.txt"; fi
for i in "${!texts[@]}"; do
  [ -s "$work/original-$i.kld" ] || "$peers/llama-perplexity" -m "$model" -f "${texts[i]}" -t "$threads" --chunks "$chunks" --save-all-logits "$work/original-$i.kld" >"$work/original.log" 2>&1
done
imatrix_s=$(once imatrix "$peers/llama-imatrix" -m "$model" -f "$work/calibration.txt" -t "$threads" -o "$work/imatrix.gguf")

machine=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string)
{
  echo "# command: $0 $(basename "$model") ${#texts[@]} texts, ${types[*]} $*"
  echo "# machine: $machine, $threads threads; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); engine: $("$ech0" --version)"
  echo "# model sha256: $(sha256sum "$model" | cut -c1-64); calibration sha256: $(sha256sum "$work/calibration.txt" | cut -c1-64); $chunks chunks of 512 of each text"
  for t in "${texts[@]}"; do echo "# text: $(basename "$t") sha256: $(sha256sum "$t" | cut -c1-64)"; done
  echo "type,text,peer_bytes,ech0_bytes,peer_kl,ech0_kl,kl_ratio,peer_s,ech0_s"
} > "$csv"
printf '%-10s %-22s %12s %12s %9s %9s %7s %8s %8s\n' type text "peer bytes" "ech0 bytes" "peer KL" "ech0 KL" ratio "peer s" "ech0 s"
for type in "${types[@]}"; do
  quantize_s=$(seconds "$peers/llama-quantize" --imatrix "$work/imatrix.gguf" "$model" "$work/peer.gguf" "$type" "$threads")
  peer_bytes=$(wc -c < "$work/peer.gguf")
  rm -f "$work/ours.gguf"
  compress_s=$(seconds "$ech0" compress "$model" --size "$peer_bytes" -o "$work/ours.gguf" --keep-work --threads "$threads" --no-proof --json "${calibration[@]}" "$@")
  cp "$work/last.log" "$work/$type.json"
  ech0_bytes=$(wc -c < "$work/ours.gguf")
  for i in "${!texts[@]}"; do
    peer_kl=$(kl_of "$work/peer.gguf" "${texts[i]}" "$work/original-$i.kld"); ech0_kl=$(kl_of "$work/ours.gguf" "${texts[i]}" "$work/original-$i.kld")
    awk -v t="$type" -v text="$(basename "${texts[i]}" .txt)" -v pb="$peer_bytes" -v eb="$ech0_bytes" -v p="$peer_kl" -v o="$ech0_kl" -v im="$imatrix_s" -v q="$quantize_s" -v e="$compress_s" -v csv="$csv" 'BEGIN {
      printf "%-10s %-22s %12d %12d %9.5f %9.5f %7.3f %8.1f %8.1f\n", t, text, pb, eb, p, o, o / p, im + q, e
      printf "%s,%s,%d,%d,%s,%s,%.4f,%.1f,%.1f\n", t, text, pb, eb, p, o, o / p, im + q, e >> csv }'
  done
done
awk -F, '!/^#/ && $1 != "type" { n++; sum += log($7); type[$1] += log($7); types[$1]++; text[$2] += log($7); texts[$2]++; if ($4 > $3) larger++ }
  END { printf "geometric mean of KL ratios %.3f over %d; larger files: %d\n", exp(sum / n), n, larger
        for (t in type) printf "  %-22s %.3f\n", t, exp(type[t] / types[t]); for (t in text) printf "  %-22s %.3f\n", t, exp(text[t] / texts[t]) }' "$csv"
