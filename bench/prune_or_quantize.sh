#!/usr/bin/env bash
# Bits or structure at equal bytes: `ech0 compress --allow-prune` at several sizes; one row for each way to a size, with
# the KL divergence to the original and its 95 % interval on the text that is part of the program, which no statistics
# saw. The verdict stands in the table that is printed.
#
#   bench/prune_or_quantize.sh MODEL-f16.gguf "SIZE SIZE ..." [SIBLING.gguf]
#
# Environment: ECH0, EFFORT (1), THREADS, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || { sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 sizes=$2 sibling=${3:-}
ech0=${ECH0:-build/ech0} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)} effort=${EFFORT:-1}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"
csv=${CSV:-bench/results/prune-or-quantize-$(basename "$model" .gguf).csv}; mkdir -p "$(dirname "$csv")"
{ echo "# command: $0 $(basename "$model") \"$sizes\"${sibling:+ $(basename "$sibling")}; effort $effort; $threads threads"
  echo "# machine: $(lscpu 2> /dev/null | sed -n 's/^Model name: *//p'); commit: $(git rev-parse --short HEAD); $("$ech0" --version | tr '\n' ' ')"
  echo "size,way,weights,bytes,bits_per_weight,kl,kl_low,kl_high,bits_per_byte,kept"; } > "$csv"
for size in $sizes; do
  "$ech0" compress "$model" --size "$size" --effort "$effort" --allow-prune ${sibling:+--sibling "$sibling"} --threads "$threads" \
    -o "$work/$size.gguf" --json > "$work/$size.json" 2> "$work/$size.log" || { tail -3 "$work/$size.log" >&2; exit 1; }
  python3 - "$size" "$work/$size.json" << 'ROWS' | tee -a "$csv"
import json, sys
size, run = sys.argv[1], json.load(open(sys.argv[2]))
for way in run["ways"]:
    kl = way["kl_divergence"]
    print(size, '"' + way["what"] + '"', way["parameters"], way["size_bytes"], f'{way["bits_per_weight"]:.3f}', f'{kl["mean"]:.4f}',
          f'{kl["low"]:.4f}', f'{kl["high"]:.4f}', f'{way["bits_per_byte"]:.4f}', "yes" if way["chosen"] else "no", sep=",")
print("#", run["verdict"])
ROWS
done
