#!/usr/bin/env bash
# A model over workers (--rpc) beside the same on one machine: two ggml-rpc-servers on loopback, one thread each, so what
# is measured is the price of the way to and fro, and not what more machines bring. `ech0 bench` measures each alone and
# over the workers, REPEATS times in turn, and takes the medians; ratios are to the same run's own "alone". Then `ech0
# chat` must say the same words each way.
#
#   bench/rpc.sh BUILD-FOLDER [REPEATS [MODEL]] > bench/results/rpc.csv
set -euo pipefail
build="$(cd "${1:?usage: bench/rpc.sh BUILD-FOLDER [REPEATS [MODEL]]}" && pwd)"
repeats="${2:-5}" model="${3:-demo}"
commit="$(git -C "$(dirname "$0")" rev-parse --short HEAD)"
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

words() { # FILE OPTION...
    local file="$1"
    shift
    "$build/ech0" chat "$model" --raw -p "Once upon a time there was a town by the sea, and in it lived" -n 64 --temp 0 --threads 1 \
        "$@" > "$file" 2> "$work/run.err" || { cat "$work/run.err" >&2 && exit 2; }
}

run() { # CASE OPTION...
    local name="$1"
    shift
    words "$work/words.txt" "$@"
    "$build/ech0" bench "$model" --prompt 256 --generate 64 --ctx 512 --threads 1 --repeat "$repeats" --json "$@" \
        > "$work/run.json" 2> "$work/run.err" || { cat "$work/run.err" >&2 && exit 2; }
    python3 - "$work" "$name" "$commit" << 'PYTHON'
import filecmp, json, os, sys

work, name, commit = sys.argv[1:]
row = json.load(open(f"{work}/run.json"))["models"][0]
over = row["over_workers"]
alone = {key: row[key]["measured"] for key in ("tokens_per_s", "prompt_tokens_per_s", "memory_bytes")}
same = filecmp.cmp(f"{work}/words.txt", f"{work}/alone.txt", shallow=False)
ratio = lambda key: f"{over[key] / alone[key]:.3f}"
print(f'"{name}"', " ".join(str(part["n_layer"]) for part in over["split"]), f"{alone['tokens_per_s']:.2f}",
      f"{over['tokens_per_s']:.2f}", ratio("tokens_per_s"), f"{alone['prompt_tokens_per_s']:.1f}",
      f"{over['prompt_tokens_per_s']:.1f}", ratio("prompt_tokens_per_s"), f"{alone['memory_bytes'] / 2**20:.1f}",
      f"{over['memory_bytes'] / 2**20:.1f}", "yes" if same else "no", f"{os.getloadavg()[0]:.1f}", commit, sep=",",
      flush=True)
PYTHON
}

echo "case,layers,alone_tokens_per_s,tokens_per_s,ratio,alone_prompt_tokens_per_s,prompt_tokens_per_s,prompt_ratio,alone_memory_mib,memory_here_mib,same_words,load_average,commit"
words "$work/alone.txt"
run "one worker has half of the layers" --rpc "$one" --split 16,15
run "two workers have two thirds" --rpc "$two" --split 10,10,11
run "this process may use 150 MiB; workers have the rest" --rpc "$two" --memory 150MiB
