#!/usr/bin/env bash
# Do pruned files load and answer in the engine's own programs? llama-completion and llama-server, greedily.
#
#   bench/prune_loads.sh PRUNED.gguf...
#
# Fails if either gives no text or if they do not begin alike. Environment: PEERS, THREADS (1), PORT (18766).
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,6p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
peers=${PEERS:-build/peers} threads=${THREADS:-1} port=${PORT:-18766} prompt="The capital of France is" server=
work=$(mktemp -d); trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
for file in "$@"; do
  "$peers/llama-completion" -m "$file" -t "$threads" -c 512 -n 16 --temp 0 -no-cnv --no-display-prompt -p "$prompt" > "$work/completion" 2> "$work/log" || { tail -3 "$work/log" >&2; exit 1; }
  "$peers/llama-server" -m "$file" -t "$threads" -c 512 --host 127.0.0.1 --port "$port" > "$work/server.log" 2>&1 & server=$!
  for _ in $(seq 60); do
    curl -sf "http://127.0.0.1:$port/health" > "$work/health" && break
    kill -0 "$server" || { tail -3 "$work/server.log" >&2; exit 1; }
    sleep 1
  done
  curl -sf "http://127.0.0.1:$port/completion" -d "{\"prompt\": \"$prompt\", \"n_predict\": 16, \"temperature\": 0}" > "$work/answer"
  kill "$server"; wait "$server" || true; server=
  python3 - "$file" "$work/completion" "$work/answer" << 'SAME'
import json, os, sys
completion, answer = open(sys.argv[2]).read().strip(), json.load(open(sys.argv[3]))["content"].strip()
print(os.path.basename(sys.argv[1]), "llama-completion:", repr(completion), "llama-server:", repr(answer))
sys.exit(0 if answer and completion[:20] == answer[:20] else 1)
SAME
done
