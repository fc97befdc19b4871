#!/usr/bin/env bash
# Do other llama.cpp releases load what ech0 writes, and say the same? Older and newer ones come prebuilt in the npm
# package node-llama-cpp; 24 tokens after one beginning, greedily, beside the pinned engine's.
#
#   bench/compatibility.sh FILE.gguf...
#
# Environment: PEERS (build/peers), VERSIONS of node-llama-cpp, WORK (kept: the packages are large), CSV.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
[ $# -ge 1 ] || { sed -n '2,7p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
peers=${PEERS:-$here/../build/peers} versions=${VERSIONS:-3.1.1 3.6.0 3.14.0 3.22.1}
work=${WORK:-$(mktemp -d)} csv=${CSV:-$here/results/compatibility.csv}
prompt="The sea was calm that morning, and the ferry"
for version in $versions; do
    mkdir -p "$work/$version"
    cd "$work/$version"
    [ -d node_modules ] || { echo '{"type": "module"}' > package.json; npm install --silent --ignore-scripts --omit=optional "node-llama-cpp@$version"; npm install --silent --ignore-scripts --omit=optional --no-save "@node-llama-cpp/linux-x64@$version"; } >&2
    cp "$here/compatibility/continue.mjs" .
done
{ echo "# command: bench/compatibility.sh $(basename -a "$@" | tr '\n' ' '); commit: $(git -C "$here" rev-parse --short HEAD)"
  echo "file,engine,loads,same_words,of_words,error"
  for file in "$@"; do
    ours="$("$peers/llama-completion" -m "$file" -p "$prompt" -n 24 --temp 0 -t 1 -no-cnv --no-display-prompt 2> "$work/log")"
    for version in $versions; do
      cd "$work/$version"
      said="$(timeout 300 node continue.mjs "$file" "$prompt" 24 2> "$work/log" | tail -1)" || true
      python3 - "$(basename "$file")" "node-llama-cpp $version" "$ours" "$said" "$work/log" << 'ROW'
import json, re, sys
file, engine, ours, said, log = sys.argv[1:]
try:
    found = json.loads(said)
    a, b = ours.split(), found["text"].split()
    same = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    print(file, f'llama.cpp {found["release"]} ({engine})', "yes", same, min(len(a), len(b)), "", sep=",")
except (ValueError, KeyError):
    words = re.findall(r"(?:error|Error)[^\n]*", open(log).read())
    print(file, engine, "no", 0, 0, '"' + (words[0] if words else "no answer").replace('"', "'")[:150] + '"', sep=",")
ROW
    done
  done; } | tee "$csv"
