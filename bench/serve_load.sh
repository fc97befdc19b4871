#!/usr/bin/env bash
# `ech0 serve` under load beside bare llama-server with the same flags, by ApacheBench. Both run all the time, and get
# the same REQUESTS in turn, ROUNDS times, so that whatever else the machine does meets both alike. One row a round and
# server: requests, errors, requests per second, median and 99th percentile in milliseconds. At the end, on stderr: the
# median over the rounds of ech0's rate by llama-server's, with a 95 % interval (bootstrap).
#
#   bench/serve_load.sh BUILD-FOLDER [REQUESTS [AT-A-TIME [ROUNDS]]] > bench/results/serve-load.csv
set -euo pipefail
ech0="$(cd "${1:?usage: bench/serve_load.sh BUILD-FOLDER [REQUESTS [AT-A-TIME [ROUNDS]]]}" && pwd)/ech0"
requests="${2:-40}" at_a_time="${3:-4}" rounds="${4:-15}"
command -v ab > /dev/null || { echo "no ab: install apache2-utils" >&2 && exit 2; }
commit="$(git -C "$(dirname "$0")" rev-parse --short HEAD)"
work="$(mktemp -d)"
servers=()
# shellcheck disable=SC2154  # of the trap itself
trap 'for pid in "${servers[@]}"; do kill "$pid"; wait "$pid" || true; done; rm -rf "$work"' EXIT
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}" ECH0_STATE="$work/state" ECH0_CONFIG="$work/config"
port=$((20000 + RANDOM % 20000))
bare_port=$((port + 1))
flags=(demo --alias demo --threads 1)
mkdir -p "$work/state/serve/site-$bare_port"
echo '{"prompt": "Once upon a time", "max_tokens": 8, "temperature": 0, "ignore_eos": true}' > "$work/body"

ask() { # PORT REQUESTS
    ab -q -l -n "$2" -c "$at_a_time" -T application/json -p "$work/body" "http://127.0.0.1:$1/v1/completions"
}

load() { # ROUND NAME PORT
    ask "$3" "$requests" > "$work/ab"
    awk -v round="$1" -v name="$2" -v at="$at_a_time" -v load="$(cut -d' ' -f1 /proc/loadavg)" -v commit="$commit" '
        /^Complete requests/ { n = $3 } /^Failed requests/ { failed = $3 } /^Non-2xx/ { failed += $3 }
        /^Requests per second/ { rate = $4 } $1 == "50%" { p50 = $2 } $1 == "99%" { p99 = $2 }
        END { printf "%d,%s,%d,%d,%d,%s,%s,%s,%s,%s\n", round, name, at, n, failed, rate, p50, p99, load, commit }' \
        "$work/ab" | tee -a "$work/rows"
}

"$ech0" serve "${flags[@]}" --port "$port" > "$work/log" 2>&1 &
servers+=($!)
eval "exec $("$ech0" serve "${flags[@]}" --port "$bare_port" --print-command)" > "$work/bare.log" 2>&1 &
servers+=($!)
for each in "$port" "$bare_port"; do
    until curl -sf "http://127.0.0.1:$each/health" > /dev/null; do sleep 0.2; done
    ask "$each" 8 > /dev/null
done
echo "round,server,at_a_time,requests,errors,requests_per_s,p50_ms,p99_ms,load_average,commit"
for ((i = 1; i <= rounds; i++)); do
    # Each goes first in every second round.
    if ((i % 2)); then load "$i" "ech0 serve" "$port"; fi
    load "$i" llama-server "$bare_port"
    if ((i % 2 == 0)); then load "$i" "ech0 serve" "$port"; fi
done
python3 - "$work/rows" >&2 << 'PYTHON'
import csv, random, statistics, sys

rows = list(csv.reader(open(sys.argv[1])))
rate = {(row[0], row[1]): float(row[5]) for row in rows}
rounds = sorted({row[0] for row in rows})
ratios = [rate[r, "ech0 serve"] / rate[r, "llama-server"] for r in rounds]
random.seed(1)
medians = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(2000))
median = lambda name, column: statistics.median(float(row[column]) for row in rows if row[1] == name)
for name in ("ech0 serve", "llama-server"):
    print(f"{name}: {sum(int(row[3]) for row in rows if row[1] == name)} requests, "
          f"{sum(int(row[4]) for row in rows if row[1] == name)} errors, median {median(name, 5):.2f}/s, "
          f"p50 {median(name, 6):.0f} ms, p99 {median(name, 7):.0f} ms")
print(f"ech0's rate by llama-server's: {statistics.median(ratios):.3f} ({medians[50]:.3f} to {medians[1949]:.3f})")
PYTHON
