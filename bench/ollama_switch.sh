#!/usr/bin/env bash
# `ech0 use` and `undo` with a real Ollama: the model is put there, answers there, and is gone again; the home folder is
# as it was. OLLAMA=PROGRAM names the ollama to run (default: the one on the PATH).
#
#   bench/ollama_switch.sh BUILD-FOLDER
set -euo pipefail
ech0="$(cd "${1:?usage: bench/ollama_switch.sh BUILD-FOLDER}" && pwd)/ech0"
ollama="${OLLAMA:-$(command -v ollama)}"
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}"
work="$(mktemp -d)"
export OLLAMA_MODELS="$work/models" OLLAMA_HOST="127.0.0.1:$((20000 + RANDOM % 20000))"
mkdir -p "$work/home/.config" "$work/bin"
ln -s "$ollama" "$work/bin/ollama"
export HOME="$work/home" PATH="$work/bin:$PATH"
"$ollama" serve > "$work/serve.log" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until "$ollama" list > /dev/null 2>&1; do sleep 0.2; done

tree() { (cd "$HOME" && find . -path ./.ollama -prune -o -type f -exec sha256sum {} + | sort -k 2; find . -path ./.ollama -prune -o -type d -print | sort); }
before="$(tree)"
"$ech0" setup --shell-rc bash > /dev/null
"$ech0" use demo
model="$("$ollama" list | awk 'NR == 2 { print $1 }')"
echo "Ollama has $model; asked for the capital of France it says:"
"$ollama" run "$model" "What is the capital of France?" < /dev/null 2> /dev/null
"$ech0" undo > /dev/null
"$ech0" undo > /dev/null
if [ "$(tree)" = "$before" ]; then echo "the home folder is as it was"; else echo "the home folder differs" && exit 1; fi
left="$("$ollama" list | awk 'NR > 1')"
if [ -z "$left" ]; then echo "Ollama is as it was"; else echo "Ollama still has $left" && exit 1; fi
