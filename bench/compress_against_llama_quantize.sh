#!/usr/bin/env bash
# Is a file of ech0 closer to the original than the usual tool's file of the same size, and what does it cost?
#
#   bench/compress_against_llama_quantize.sh MODEL.gguf TEXT.txt TYPE... [-- ech0 compress options]
#
# For each TYPE: llama-imatrix (on ech0's calibration text, once) + llama-quantize make a file; ech0 calibrate (once) + ech0
# compress make one of at most that size; llama-perplexity --kl-divergence judges both on TEXT, which calibration never saw. Both tools get the
# same number of threads (THREADS, default: all) and run one after the other, so only ratios of times mean something.
# Environment: ECH0 (build/ech0), PEERS (build/peers), CHUNKS (40) of 512 tokens, WORK (a temporary folder), CSV.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
[ $# -ge 3 ] || usage
model=$1 text=$2; shift 2
types=(); while [ $# -gt 0 ] && [ "$1" != -- ]; do types+=("$1"); shift; done
[ $# -eq 0 ] || shift
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-40} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/compress-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"

seconds() { local from; from=$(date +%s.%N); "$@" >"$work/last.log" 2>&1 || { tail -5 "$work/last.log" >&2; exit 1; }; date +%s.%N | awk -v from="$from" '{ printf "%.1f", $1 - from }'; }
once() { [ -s "$work/$1.s" ] || seconds "${@:2}" > "$work/$1.s"; cat "$work/$1.s"; }  # kept in WORK, with how long it took
kl_of() { "$peers/llama-perplexity" -m "$1" -f "$text" -t "$threads" --kl-divergence --kl-divergence-base "$work/original.kld" 2>&1 | tee "$work/kl.log" | awk '/Mean +KLD:/ { print $3, $5; found = 1 } END { if (!found) exit 1 }'; }

"$ech0" calibrate "$model" --print-text > "$work/calibration.txt"
[ -s "$work/original.kld" ] || "$peers/llama-perplexity" -m "$model" -f "$text" -t "$threads" --chunks "$chunks" --save-all-logits "$work/original.kld" >"$work/original.log" 2>&1
imatrix_s=$(once imatrix "$peers/llama-imatrix" -m "$model" -f "$work/calibration.txt" -t "$threads" -o "$work/imatrix.gguf")

calibrate_s=$(once statistics "$ech0" calibrate "$model" --threads "$threads" -o "$work/statistics.gguf")

machine=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string)
{
  echo "# command: $0 $model TEXT ${types[*]} $*"
  echo "# machine: $machine, $threads threads; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); engine: $("$ech0" --version)"
  echo "# model sha256: $(sha256sum "$model" | cut -c1-64); text sha256: $(sha256sum "$text" | cut -c1-64); chunks: $chunks of 512"
  echo "type,peer_bytes,ech0_bytes,peer_kl,peer_kl_se,ech0_kl,ech0_kl_se,kl_ratio,peer_s,ech0_s,time_ratio"
} > "$csv"
printf '%-8s %12s %12s %9s %9s %7s %8s %8s %6s\n' type "peer bytes" "ech0 bytes" "peer KL" "ech0 KL" ratio "peer s" "ech0 s" times
for type in "${types[@]}"; do
  quantize_s=$(seconds "$peers/llama-quantize" --imatrix "$work/imatrix.gguf" "$model" "$work/peer.gguf" "$type" "$threads")
  peer_bytes=$(wc -c < "$work/peer.gguf")
  rm -rf "$work/ours.gguf" "$work/ours.gguf.ech0-work"
  compress_s=$(seconds "$ech0" compress "$model" --size "$peer_bytes" -o "$work/ours.gguf" --imatrix "$work/statistics.gguf" --threads "$threads" --no-proof --json "$@")
  cp "$work/last.log" "$work/$type.json"
  ech0_bytes=$(wc -c < "$work/ours.gguf")
  peer_kl=$(kl_of "$work/peer.gguf"); ech0_kl=$(kl_of "$work/ours.gguf")
  awk -v t="$type" -v pb="$peer_bytes" -v eb="$ech0_bytes" -v pk="$peer_kl" -v ek="$ech0_kl" -v im="$imatrix_s" -v q="$quantize_s" -v c="$calibrate_s" -v e="$compress_s" -v csv="$csv" 'BEGIN {
    split(pk, p, " "); split(ek, o, " "); ps = im + q; e += c
    printf "%-8s %12d %12d %9.5f %9.5f %7.3f %8.1f %8.1f %6.2f\n", t, pb, eb, p[1], o[1], o[1] / p[1], ps, e, e / ps
    printf "%s,%d,%d,%s,%s,%s,%s,%.4f,%.1f,%.1f,%.3f\n", t, pb, eb, p[1], p[2], o[1], o[2], o[1] / p[1], ps, e, e / ps >> csv }'
done
awk -F, '!/^#/ && $1 != "type" { n++; sum += log($8); if ($8 >= 1) worse++; if ($3 > $2) larger++; if ($11 > slowest) slowest = $11 }
  END { printf "geometric mean of KL ratios %.3f over %d sizes; worse at %d; larger at %d; at most %.2f times as long\n", exp(sum / n), n, worse, larger, slowest }' "$csv"
