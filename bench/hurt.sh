#!/usr/bin/env bash
# Ten ways of hurting compress: each must end in exit status 2 with one line on stderr, and leave nothing half-written.
#
#   bench/hurt.sh [MODEL.gguf]        (default: the demo model)
#
# Prints a table and writes bench/results/hurt.csv. The full disk is a tmpfs of 40 MB where root may mount one, else a
# limit of file size. Environment: ECH0 (build/ech0), CSV.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
ech0=$(realpath "${ECH0:-build/ech0}")
model=${1:-${ECH0_CACHE:-$HOME/.cache/ech0}/models/smollm2-135m-instruct-q4_1.gguf}
csv=${CSV:-bench/results/hurt.csv}; mkdir -p "$(dirname "$csv")"
work=$(mktemp -d); trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
size=$(wc -c < "$model"); failures=0
text=$work/text.txt; head -c 9000 share/texts/calibration/prose.txt > "$text"
echo "case,runs,exit_2,one_line,nothing_left,example" > "$csv"
printf '%-34s %5s %7s %9s %13s  %s\n' case runs "exit 2" "one line" "nothing left" example

# check CASE RUNS: the next RUNS calls of `attempt` are this case.
attempt() {  # COMMAND... -> counts
  runs=$((runs + 1)); "$@" >"$work/out" 2>"$work/err"; status=$?
  grep -v -E ', [0-9.]+/s|[0-9]/[0-9]+$' "$work/err" > "$work/lines"
  [ $status -eq 2 ] && exit_2=$((exit_2 + 1))
  [ "$(wc -l < "$work/lines")" -eq 1 ] && [ ! -s "$work/out" ] && one_line=$((one_line + 1))
  [ -z "$(find "$work" -name 'out.gguf' -o -name '*.ech0-part' | head -1)" ] && nothing=$((nothing + 1))
  example=$(head -c 150 "$work/lines" | tr '\n' ' '); example=${example//"$work/"/}
}
begin() { name=$1; runs=0 exit_2=0 one_line=0 nothing=0 example=; }
finish() {
  printf '%-34s %5d %7d %9d %13d  %s\n' "$name" "$runs" "$exit_2" "$one_line" "$nothing" "$example"
  printf '%s,%d,%d,%d,%d,"%s"\n' "$name" "$runs" "$exit_2" "$one_line" "$nothing" "${example//\"/\'}" >> "$csv"
  [ "$runs" -eq "$exit_2" ] && [ "$runs" -eq "$one_line" ] && [ "$runs" -eq "$nothing" ] || failures=$((failures + 1))
}
small() { "$ech0" compress "$1" --size "${2:-60MB}" -o "${3:-$work/out.gguf}" --no-proof --effort 1 --ctx 64 --calibration "$text"; }
# shellcheck disable=SC2059  # the bytes are escapes, on purpose
poke() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }

begin "truncated at 50 offsets"; cp "$model" "$work/cut.gguf"
for i in $(seq 49 -1 0); do truncate -s $((size * i / 50)) "$work/cut.gguf"; attempt small "$work/cut.gguf"; done; finish; rm "$work/cut.gguf"

begin "garbage metadata"
for i in $(seq 1 20); do head -c 2000000 "$model" > "$work/garbage.gguf"; poke "$work/garbage.gguf" $((8 + i * 37)) '\377\376\375\374\373\372\371\370'; truncate -s "$size" "$work/garbage.gguf"
  "$ech0" inspect "$work/garbage.gguf" >/dev/null 2>&1 || attempt small "$work/garbage.gguf"; done; finish

# The first tensor's entry: its name, n_dims, the dimensions, the type. Found in the file, not assumed.
at=$(LC_ALL=C grep -obUa -m1 'token_embd.weight' "$model" | head -1 | cut -d: -f1)
begin "absurd tensor size"; head -c 5000000 "$model" > "$work/absurd.gguf"; poke "$work/absurd.gguf" $((at + 17 + 4)) '\377\377\377\377\377\377\377\177'; truncate -s "$size" "$work/absurd.gguf"; attempt small "$work/absurd.gguf"; finish
begin "unsupported type"; cp "$model" "$work/type.gguf"; poke "$work/type.gguf" $((at + 17 + 4 + 16)) '\147\0\0\0'; attempt small "$work/type.gguf"; finish; rm "$work/type.gguf"
begin "missing tensor"; cp "$model" "$work/missing.gguf"; name_at=$(LC_ALL=C grep -obUa -m1 'blk.7.ffn_up.weight' "$model" | head -1 | cut -d: -f1); poke "$work/missing.gguf" "$name_at" 'xlk'; attempt small "$work/missing.gguf"; finish; rm "$work/missing.gguf"
begin "wrong magic"; cp "$model" "$work/magic.gguf"; poke "$work/magic.gguf" 0 'FUGG'; attempt small "$work/magic.gguf"; finish; rm "$work/magic.gguf"
begin "unreadable file"; attempt small "$work/absent.gguf"; mkdir "$work/folder.gguf"; attempt small "$work/folder.gguf"; finish
begin "budget too small"; attempt small "$model" 1MB; attempt small "$model" 10MB; finish
begin "budget too large"; attempt small "$model" 1GB; finish

begin "full disk"; mkdir -p "$work/small"
if mount -t tmpfs -o size=40m tmpfs "$work/small" 2>/dev/null; then attempt small "$model" 60MB "$work/small/out.gguf"; rm -rf "$work/small"/*; umount "$work/small"
else attempt bash -c "ulimit -f 20000; '$ech0' compress '$model' --size 60MB -o '$work/out.gguf' --no-proof --effort 1 --ctx 64 --calibration '$text'"; fi; finish; rm -rf "$work"/out.gguf*

# Not an error but the same promise: killed at any moment, nothing under the name; run again, the same bytes.
begin "kill -9, then resume"
small "$model" 70MB "$work/whole.gguf" >/dev/null 2>&1; expected=$(sha256sum < "$work/whole.gguf")
for delay in 1 4 9 15; do
  runs=$((runs + 1))
  small "$model" 70MB "$work/out.gguf" >/dev/null 2>&1 & pid=$!; sleep $delay; kill -9 $(pgrep -P $pid) $pid 2>/dev/null; wait $pid 2>/dev/null
  [ -e "$work/out.gguf" ] || nothing=$((nothing + 1))
  small "$model" 70MB "$work/out.gguf" >/dev/null 2>&1 && one_line=$((one_line + 1))
  [ "$(sha256sum < "$work/out.gguf")" = "$expected" ] && exit_2=$((exit_2 + 1)) && example="same bytes after resume"
  rm -rf "$work"/out.gguf*
done; finish
if [ "$failures" -gt 0 ]; then echo "$failures cases broke the promise"; exit 1; fi
echo "all as promised"
