#!/usr/bin/env bash
# `ech0 serve` under load beside bare llama-server with the same flags, by ApacheBench: the two in turn, REPEATS times.
# One row a run: requests, errors, requests per second, median and 99th percentile in milliseconds.
#
#   bench/serve_load.sh BUILD-FOLDER [REQUESTS [AT-A-TIME [REPEATS]]] > bench/results/serve-load.csv
set -euo pipefail
ech0="$(cd "${1:?usage: bench/serve_load.sh BUILD-FOLDER [REQUESTS [AT-A-TIME [REPEATS]]]}" && pwd)/ech0"
requests="${2:-200}" at_a_time="${3:-4}" repeats="${4:-3}"
command -v ab > /dev/null || { echo "no ab: install apache2-utils" >&2 && exit 2; }
work="$(mktemp -d)"
server=
stop() {
    if [ -z "$server" ]; then return; fi
    kill "$server"
    wait "$server" || true
    server=
}
trap 'stop; rm -rf "$work"' EXIT
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}" ECH0_STATE="$work/state" ECH0_CONFIG="$work/config"
port=$((20000 + RANDOM % 20000))
flags=(demo --alias demo --port "$port" --threads 1)
mkdir -p "$work/state/serve/site-$port"
echo '{"prompt": "Once upon a time", "max_tokens": 8, "temperature": 0, "ignore_eos": true}' > "$work/body"

load() { # NAME
    until curl -sf "http://127.0.0.1:$port/health" > /dev/null; do sleep 0.2; done
    ab -q -l -n 8 -c 2 -T application/json -p "$work/body" "http://127.0.0.1:$port/v1/completions" > /dev/null
    ab -q -l -n "$requests" -c "$at_a_time" -T application/json -p "$work/body" \
        "http://127.0.0.1:$port/v1/completions" > "$work/ab"
    awk -v name="$1" -v at="$at_a_time" '
        /^Complete requests/ { n = $3 } /^Failed requests/ { failed = $3 } /^Non-2xx/ { failed += $3 }
        /^Requests per second/ { rate = $4 } $1 == "50%" { p50 = $2 } $1 == "99%" { p99 = $2 }
        END { printf "%s,%d,%d,%d,%s,%s,%s\n", name, at, n, failed, rate, p50, p99 }' "$work/ab"
}

echo "server,at_a_time,requests,errors,requests_per_s,p50_ms,p99_ms"
for ((i = 0; i < repeats; i++)); do
    "$ech0" serve "${flags[@]}" > "$work/log" 2>&1 &
    server=$!
    load "ech0 serve"
    stop
    eval "exec $("$ech0" serve "${flags[@]}" --print-command)" > "$work/log" 2>&1 &
    server=$!
    load llama-server
    stop
done
