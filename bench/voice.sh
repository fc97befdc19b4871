#!/usr/bin/env bash
# Voice without a microphone: a Piper voice asks 30 questions, `ech0 talk` hears them from a file and answers into a file
# with the demo model, and what it said is written down again. How many words are wrong each way, and how long until the
# first sound.
#
#   bench/voice.sh [BUILD] [OUT.csv]      needs `make voice` and `make demo-model`; bench/whisper_tiny.sh for Whisper tiny
#
# QUESTIONS=N     the first N only            RECOGNIZERS, SPEAKERS    which engines (default: those that are there)
# MODEL=FILE      another model than the demo's          CASES=silence   each pair of engines, without barge-in and noise
# WER is the usual one: substitutions, insertions and deletions by words of the reference (lower case, no punctuation,
# numbers as words). Every recognizer judges the answers, whichever heard the questions.
# All questions are one talk. The demo's model (135 million parameters) begins in French if the capital of France comes
# first, and then goes on in it; an English voice can't say that, nor an English recognizer write it down.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build="${1:-build}" out="${2:-bench/results/voice.csv}"
ech0="$build/ech0"
[ -x "$ech0" ] || die "no $ech0: run 'make voice'"
has python3 || die "python3 is missing: it counts the wrong words"
make_scratch
mapfile -t questions < bench/voice_questions.txt
questions=("${questions[@]:0:${QUESTIONS:-30}}")

available() { # ROLE
    "$ech0" talk --devices --json | python3 -c "
import json, sys
print(*[e['name'] for e in json.load(sys.stdin)['engines'] if e['role'] == '$1' and e['available']])"
}
read -ra recognizers <<< "${RECOGNIZERS:-$(available recognizer)}"
read -ra speakers <<< "${SPEAKERS:-$(available speaker)}"
commit="$(git rev-parse --short HEAD)" machine="$(uname -m), $(cores) cores"
mkdir -p "$(dirname "$out")"

for speaker in "${speakers[@]}"; do
    for i in "${!questions[@]}"; do
        "$ech0" talk --speaker "$speaker" --say "${questions[$i]}" --wav-out "$scratch/$speaker-$i.wav"
    done
done
printf '%s\n' "${questions[@]}" > "$scratch/questions.txt"
python3 bench/voice_wer.py "$ech0" "$scratch" "$out" "$commit" "$machine" "${recognizers[*]}" "${speakers[*]}" "${MODEL:-demo}"
