#!/usr/bin/env bash
# Does `ech0 kv pack` beat zstd -19 on llama.cpp's states, to the bit, and how fast?
#
#   bench/kv_lossless.sh TEXT.txt "1024 4096" MODEL.gguf…
#
# For each model, context length and cache type (TYPES: "f16 q8_0"): a state over the text, packed and unpacked by ech0 and by
# zstd, one thread each, processor seconds of both in the same run; the unpacked state is compared byte by byte. Packing is timed
# with and without ech0's own check (--no-check). Environment: ECH0, MAKE_KV_STATE, TYPES, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 3 ] || { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
text=$1 contexts=$2; shift 2
ech0=${ECH0:-build/ech0} make_kv_state=${MAKE_KV_STATE:-build/bench/make_kv_state}
work=${WORK:-$(mktemp -d)}; mkdir -p "$work"; [ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
csv=${CSV:-bench/results/kv-lossless.csv}; mkdir -p "$(dirname "$csv")"
export OMP_WAIT_POLICY=passive TIMEFORMAT='%U %S'
cpu() { { time "$@" > "$work/out" 2> "$work/err"; } 2>&1 | tail -1 | awk '{ print $1 + $2 }'; }
{ echo "# command: $0 $(basename "$text") \"$contexts\" ${*##*/}; commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$ech0" --version | tr '\n' ' ')"
  echo "# machine: $(lscpu 2> /dev/null | sed -n 's/^Model name: *//p'); text sha256: $(sha256sum "$text" | cut -c1-64); $(zstd --version | grep -o 'v[0-9.]*'); processor seconds, one thread"
  echo "model,n_tokens,type,state_bytes,ekv_bytes,zstd_bytes,ratio,zstd_ratio,smaller_than_zstd,pack_s,pack_checked_s,zstd_s,unpack_s,zstd_unpack_s,pack_mb_per_s,unpack_mb_per_s"; } | tee "$csv"
for model in "$@"; do
  for n in $contexts; do
    for type in ${TYPES:-f16 q8_0}; do
      state=$work/state
      "$make_kv_state" "$model" "$text" 0 "$n" "$type" "$state"
      rm -f "$state.ekv" "$state.zst" "$state.back"
      pack=$(cpu "$ech0" kv pack "$state" -o "$state.ekv" --threads 1 --no-check)
      checked=$(cpu "$ech0" kv pack "$state" -o "$state.ekv" --threads 1)
      unpack=$(cpu "$ech0" kv unpack "$state.ekv" -o "$state.back" --threads 1)
      cmp "$state" "$state.back"
      zstd=$(cpu zstd -19 -T1 -q -k -f "$state" -o "$state.zst")
      unzstd=$(cpu zstd -d -q -f "$state.zst" -o "$state.back")
      awk -v m="$(basename "$model" .gguf)" -v n="$n" -v t="$type" -v a="$(wc -c < "$state")" -v b="$(wc -c < "$state.ekv")" -v z="$(wc -c < "$state.zst")" \
        -v p="$pack" -v c="$checked" -v s="$zstd" -v u="$unpack" -v v="$unzstd" 'BEGIN {
        printf "%s,%d,%s,%d,%d,%d,%.4f,%.4f,%.4f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f,%.2f\n", m, n, t, a, b, z, a / b, a / z, 1 - b / z, p, c, s, u, v, a / p / 1e6, a / u / 1e6 }' | tee -a "$csv"
    done
  done
done
