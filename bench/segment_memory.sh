#!/usr/bin/env bash
# How much memory does a walk through a model take, against the model's size?
#
#   bench/segment_memory.sh
#
# Makes llamas of 1536 x 6144 with 4, 8, 16 and 24 layers (random F16 weights, 0.3 to 1.8 GB), calibrates each on the same
# text, and prints the peak memory of the process beside the file's size and one layer's. If the walk holds a few layers and
# not the model, the peak does not grow with the number of layers. Environment: ECH0, MAKE_RANDOM_MODEL, LAYERS, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
ech0=${ECH0:-build/ech0} make_random_model=${MAKE_RANDOM_MODEL:-build/bench/make_random_model}
csv=${CSV:-bench/results/segment-memory.csv}; mkdir -p "$(dirname "$csv")"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
head -c 6000 share/texts/calibration/prose.txt > "$work/text.txt"
{ echo "# command: $0; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$ech0" --version)"; echo "n_layer,file_bytes,layer_bytes,peak_memory_bytes,share_of_file"; } > "$csv"
printf '%7s %12s %12s %12s %8s\n' layers "file MiB" "layer MiB" "peak MiB" share
for n in ${LAYERS:-4 8 16 24}; do
  "$make_random_model" "$work/model.gguf" "$n" 1536 6144
  bytes=$(wc -c < "$work/model.gguf")
  peak=$("$ech0" calibrate "$work/model.gguf" -o "$work/c.gguf" --ctx 64 --calibration "$work/text.txt" --json 2>/dev/null | sed -n 's/.*"peak_memory_bytes": *\([0-9]*\).*/\1/p')
  awk -v n="$n" -v b="$bytes" -v p="$peak" -v csv="$csv" 'BEGIN { layer = b / n; m = 1048576
    printf "%7d %12.0f %12.0f %12.0f %7.1f%%\n", n, b / m, layer / m, p / m, 100 * p / b
    printf "%d,%d,%.0f,%d,%.4f\n", n, b, layer, p, p / b >> csv }'
  rm "$work/model.gguf"
done
