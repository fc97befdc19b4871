#!/usr/bin/env bash
# A model over workers (--rpc) beside the same on one machine: two ggml-rpc-servers on loopback, one thread each, so what
# is measured is the price of the way to and fro, and not what more machines bring. The same words must come out. One row
# a run; the cases in turn, REPEATS times.
#
#   bench/rpc.sh BUILD-FOLDER [REPEATS [MODEL]] > bench/results/rpc.csv
set -euo pipefail
build="$(cd "${1:?usage: bench/rpc.sh BUILD-FOLDER [REPEATS [MODEL]]}" && pwd)"
repeats="${2:-3}" model="${3:-demo}"
work="$(mktemp -d)"
workers=()
# shellcheck disable=SC2154  # of the trap itself
trap 'for pid in "${workers[@]}"; do kill "$pid"; wait "$pid" || true; done; rm -rf "$work"' EXIT
first_port=$((20000 + RANDOM % 20000))
for port in "$first_port" $((first_port + 1)); do
    "$build/engine/ggml-rpc-server" -H 127.0.0.1 -p "$port" -t 1 > "$work/$port.log" 2>&1 &
    workers+=($!)
done
sleep 1
one="127.0.0.1:$first_port" two="127.0.0.1:$first_port,127.0.0.1:$((first_port + 1))"

run() { # CASE OPTION...
    local name="$1"
    shift
    "$build/ech0" chat "$model" --raw -p "Once upon a time there was a town by the sea, and in it lived" -n 64 --temp 0 --threads 1 \
        --json "$@" > "$work/run.json" 2> "$work/run.err" || { cat "$work/run.err" >&2 && exit 2; }
    python3 - "$work" "$name" << 'PYTHON'
import json, os, sys

work, name = sys.argv[1:]
run = json.load(open(f"{work}/run.json"))
answer, first = run["answer"], f"{work}/first.txt"
if not os.path.exists(first):
    open(first, "w").write(answer)
print(name, run["n_answer_tokens"], f"{run['tokens_per_s']:.1f}", "yes" if answer == open(first).read() else "no",
      f"{os.getloadavg()[0]:.1f}", sep=",", flush=True)
PYTHON
}

echo "case,tokens,tokens_per_s,same_words,load_average"
for _ in $(seq "$repeats"); do
    run "this machine alone"
    run "one worker has half of the layers" --rpc "$one" --split 16,15
    run "two workers have two thirds" --rpc "$two" --split 10,10,11
    run "this process may use 150 MiB; workers have the rest" --rpc "$two" --memory 150MiB
done
