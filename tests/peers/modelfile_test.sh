#!/usr/bin/env bash
# A Modelfile of ours through Ollama's own parser, check of parameters and template engine (its Go module): what Ollama
# would give the model must be what llama-server makes of the same messages by the file's own Jinja template.
set -euo pipefail
: "${ECH0:?the ech0 to test}" "${PEERS:?the folder of llama-server}"

demo="${ECH0_CACHE:-$HOME/.cache/ech0}/models/smollm2-135m-instruct-q4_1.gguf"
for needed in "$demo" "$PEERS/llama-server"; do
    if [ ! -f "$needed" ]; then
        echo "skipped, there is no $needed: 'make test' gets it"
        exit 77
    fi
done
if ! command -v go > /dev/null; then
    echo "skipped, there is no Go to build Ollama's parser with"
    exit 77
fi
source_dir="$(cd "$(dirname "$0")/../../bench/ollama_modelfile" && pwd)"
work="$(mktemp -d)"
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi; rm -rf "$work"' EXIT
cp -r "$source_dir" "$work/source"
if ! (cd "$work/source" && go mod tidy && go build -o ../ollama_modelfile .) > "$work/go.log" 2>&1; then
    echo "skipped, Ollama's Go module can't be had or built here: $(tail -n 1 "$work/go.log")"
    exit 77
fi
cd "$work"

cat > messages.json << 'JSON'
[{"role": "system", "content": "Be \"brief\"."}, {"role": "user", "content": "Hello\nthere"},
 {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "What is {{ two }} and two?"}]
JSON
"$ECH0" modelfile demo --ctx 512 --system 'Say "yes".' -o Modelfile > /dev/null
./ollama_modelfile Modelfile messages.json > ollama.json

port=$((20000 + RANDOM % 20000))
"$PEERS/llama-server" -m "$demo" --port "$port" -c 512 --no-warmup > server.log 2>&1 &
server=$!
PORT="$port" python3 - << 'PYTHON'
import json, os, sys, time, urllib.request

url = f"http://127.0.0.1:{os.environ['PORT']}/apply-template"
body = json.dumps({"messages": json.load(open("messages.json"))}).encode()
for _ in range(300):
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        wanted = json.load(urllib.request.urlopen(request))["prompt"]
        break
    except OSError:
        time.sleep(0.1)
ollama = json.load(open("ollama.json"))
pairs = [
    ("prompt", ollama["prompt"], wanted),
    ("system", ollama["system"], 'Say "yes".'),
    ("license", ollama["license"], ["apache-2.0"]),
    ("num_ctx", ollama["parameters"]["num_ctx"], 512),
    ("temperature", ollama["parameters"]["temperature"], 0.8),
]
for name, found, expected in pairs:
    print(f"{name}: {found!r}")
    if found != expected:
        sys.exit(f"{name} is {found!r}, wanted {expected!r}")
PYTHON
