#!/usr/bin/env bash
# The lossy codec of KV caches on one model: ratio, divergence, greedy tokens and seconds over documents and contexts,
# beside the engine's own q8_0 and q4_0 caches and a PCA + DEFLATE codec as published (bench/kvtc_peer.h).
#
#   bench/kv_lossy.sh MODEL.gguf "1024 4096" TEXT@OFFSET…
#
# A document begins behind the first newline at OFFSET (bytes). Lines that the CSV has are not measured again, so a run
# that was stopped goes on, and further contexts, documents or steps can be added. One thread.
# Environment: STEPS around the profile's own for F16 caches, STEPS_Q8 for q8_0 caches, ENGINE (q8_0 q4_0), RIVAL
# (ratios before DEFLATE, of PCA over all layers), RIVAL_LAYER (the same, PCA layer by layer), each may be empty; RANK of
# the former per layer; PROFILE (made where it does not exist), CHUNKS of its text; BUILD, WORK, CSV.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 3 ] || { sed -n '2,12p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
model=$1 contexts=$2; shift 2
build=${BUILD:-build} name=$(basename "$model" .gguf) work=${WORK:-/tmp/kv-lossy}
steps=${STEPS--40 -24 -16 -8 +0} steps_q8=${STEPS_Q8--24 -8} engine=${ENGINE-q8_0 q4_0} rival=${RIVAL-4 8 16} rival_layer=${RIVAL_LAYER-8}
csv=${CSV:-bench/results/kv-lossy-$name.csv} profile=${PROFILE:-$work/$name.kvp}
mkdir -p "$work" "$(dirname "$csv")"
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 THREADS=1
run=(nice -n 5 "$build/bench/kv_lossy")

[ -s "$profile" ] || "${run[@]}" profile "$model" "$profile"
[ -z "$rival" ] || [ -s "$work/$name.all" ] || "${run[@]}" peer "$model" "$profile" "$("$build/ech0" inspect "$model" --json | awk '/"n_layer"/ { gsub(/[^0-9]/, "", $2); print $2; exit }')" "${RANK:-40}" "$work/$name.all"
[ -z "$rival_layer" ] || [ -s "$work/$name.layer" ] || "${run[@]}" peer "$model" "$profile" 1 4096 "$work/$name.layer"

if [ ! -s "$csv" ]; then
  { echo "# command: bench/kv_lossy.sh $name.gguf \"$contexts\" $(for d in "$@"; do printf '%s ' "$(basename "${d%@*}")@${d##*@}"; done); commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown); $("$build/ech0" --version | tr '\n' ' ')"
    echo "# machine: $(lscpu 2> /dev/null | sed -n 's/^Model name: *//p'), one thread, not idle; seconds are of its processor; profile: $(wc -c < "$profile") bytes, not in the ratios"
    for text in $(printf '%s\n' "${@%@*}" | sort -u); do echo "# text sha256: $(sha256sum "$text" | cut -c1-64) $(basename "$text")"; done
    echo "name,tokens,cache,what,bytes,ratio,live_ratio,kl,same_top,greedy_path,greedy_free,pack_s,unpack_s,restore_s,recompute_s"; } > "$csv"
fi

# measure TEXT OFFSET TOKENS TYPE WHAT…: what the CSV lacks
measure() {
  local text=$1 offset=$2 tokens=$3 type=$4 id wanted=() label what; shift 4
  id=$(basename "$text" .txt)@$offset
  for what in "$@"; do
    case $what in
      *.all@*) label=pca-all@${what##*@} ;;
      *.layer@*) label=pca-layer@${what##*@} ;;
      q*) label=$what ;;
      *) label=step$what ;;
    esac
    grep -qF "$id,$tokens,$type,$label," "$csv" || wanted+=("$what")
  done
  [ ${#wanted[@]} -eq 0 ] && return
  "${run[@]}" measure "$model" "$profile" "$text" "$offset" "$tokens" "$type" "$id" "${wanted[@]}" | tee -a "$csv"
}
for tokens in $contexts; do
  for document in "$@"; do
    what=()
    for s in $steps; do what+=("$s"); done
    for s in $engine; do what+=("$s"); done
    for s in $rival; do what+=("$work/$name.all@$s"); done
    for s in $rival_layer; do what+=("$work/$name.layer@$s"); done
    [ ${#what[@]} -eq 0 ] || measure "${document%@*}" "${document##*@}" "$tokens" f16 "${what[@]}"
    # shellcheck disable=SC2086  # a list of steps, split on purpose
    [ -z "$steps_q8" ] || measure "${document%@*}" "${document##*@}" "$tokens" q8_0 $steps_q8
  done
done
