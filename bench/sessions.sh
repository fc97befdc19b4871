#!/usr/bin/env bash
# Seconds to restore what was read against seconds to read it again, at several lengths: `chat --session-dir` twice with one
# document, one thread. Only the ratio within a row means something on a busy machine. Beside it what the file would take
# packed without loss, and how long it is packed and unpacked then.
#
#   bench/sessions.sh [BUILD] [OUT.csv] MODEL...
#
# LENGTHS="512 1024 2048 4096"    tokens, about            TEXT=FILE    the document (default: ech0's calibration text)
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build="${1:-build}" out="${2:-bench/results/sessions.csv}"
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || die "usage: bench/sessions.sh BUILD OUT.csv MODEL..."
ech0="$build/ech0"
[ -x "$ech0" ] || die "no $ech0: run 'make build'"
has python3 || die "python3 is missing: it reads the JSON"
make_scratch
text="$scratch/text"
if [ -n "${TEXT:-}" ]; then cp "$TEXT" "$text"; else cat share/texts/calibration/* > "$text"; fi
commit="$(git rev-parse --short HEAD)"
machine="$(uname -m) $(cores) cores load $(cut -d ' ' -f 1 /proc/loadavg 2> /dev/null || echo '?')"
export OMP_WAIT_POLICY=passive

ask() { # FOLDER TEXT-BYTES QUESTION: the JSON of one answer
    { head -c "$2" "$text" && printf '\n%s' "$3"; } |
        "$ech0" chat "$model" --session-dir "$1" --raw -n 1 --temp 0 --ctx 4608 --kv f16 --threads 1 --json 2> /dev/null
}
value() { python3 -c "import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])" "$@"; }
seconds() { # COMMAND...
    local begin end
    begin="$(date +%s.%N)"
    "$@" > /dev/null
    end="$(date +%s.%N)"
    python3 -c "print(f'{$end - $begin:.3f}')"
}

mkdir -p "$(dirname "$out")"
echo "model,n_prompt_tokens,read_s,n_restored_tokens,restore_s,read_over_restore,state_bytes,file_bytes,packed_bytes,pack_s,unpack_s,commit,machine,command" > "$out"
for model in "$@"; do
    bytes_per_token=4  # of English, about
    for n in ${LENGTHS:-512 1024 2048 4096}; do
        folder="$scratch/sessions-$n"
        ask "$folder" $((n * bytes_per_token)) "What is this about?" > "$scratch/first"
        ask "$folder" $((n * bytes_per_token)) "And who wrote it?" > "$scratch/second"
        file="$(ls "$folder"/*.ekv)"
        "$ech0" kv unpack "$file" -o "$scratch/state" > /dev/null
        pack_s="$(seconds "$ech0" kv pack "$scratch/state" -o "$scratch/again.ekv" --no-check --threads 1)"
        unpack_s="$(seconds "$ech0" kv unpack "$scratch/again.ekv" -o "$scratch/again" --threads 1)"
        cmp -s "$scratch/state" "$scratch/again" || die "the packed state does not come back"
        packed_bytes="$(wc -c < "$scratch/again.ekv")" state_bytes="$(wc -c < "$scratch/state")" file_bytes="$(wc -c < "$file")"
        n_prompt="$(value "$scratch/first" n_prompt_tokens)" read_s="$(value "$scratch/first" prompt_s)"
        n_restored="$(value "$scratch/second" n_restored_tokens)" restore_s="$(value "$scratch/second" restore_s)"
        python3 -c "
ratio = $read_s * $n_restored / $n_prompt / $restore_s
print(f'$(basename "$model"),$n_prompt,$read_s,$n_restored,$restore_s,{ratio:.2f},$state_bytes,$file_bytes,$packed_bytes,$pack_s,$unpack_s,$commit,$machine,bench/sessions.sh')" >> "$out"
        tail -n 1 "$out" >&2
        rm -f "$scratch/state" "$scratch/again" "$scratch/again.ekv"
    done
done
