#!/usr/bin/env bash
# `ech0 serve` answers OpenAI's own client libraries, Python (from PyPI) and Node (from npm): one line a check. The demo
# model's own template knows no tools, and llama-server ignores them then; tools.jinja is the same with tools.
#
#   bench/openai_clients.sh BUILD-FOLDER > bench/results/openai-clients.csv
set -euo pipefail
ech0="$(cd "${1:?usage: bench/openai_clients.sh BUILD-FOLDER}" && pwd)/ech0"
here="$(cd "$(dirname "$0")/openai_clients" && pwd)"
work="$(mktemp -d)"
server=
trap 'if [ -n "$server" ]; then kill "$server"; wait "$server" || true; fi; rm -rf "$work"' EXIT
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}" ECH0_STATE="$work/state" ECH0_CONFIG="$work/config"

python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet openai >&2
cp "$here/client.mjs" "$work/"
(cd "$work" && npm install --silent --no-fund --no-audit openai > /dev/null 2>&1)

export KEY=secret-of-the-bench
ECH0_API_KEY="$KEY" "$ech0" serve demo --alias demo --port 0 --embeddings --json -- --chat-template-file "$here/tools.jinja" > "$work/about.json" &
server=$!
until [ -s "$work/about.json" ]; do sleep 0.2; done
URL="$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["url"])' "$work/about.json")"
export URL

echo "client,check,result"
"$work/python/bin/python" "$here/client.py"
node "$work/client.mjs"
