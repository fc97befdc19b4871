#!/usr/bin/env bash
# What do caches of each pair of types lose, and do the bytes that `ech0 kv plan` predicts hold?
#
#   bench/kv_plan.sh MODEL.gguf...
#
# Each MODEL is planned for each context; every pair of types is a row. Bytes of the pairs on the front are measured, each
# in a process of its own that fills the context, and should be within 3 % of those predicted.
# Environment: ECH0 (build/ech0), CSV, THREADS (1), TEXTS (1, stretches of ech0's own text), CONTEXTS ("1024:: 4096::",
# each CTX:K:V with types of keys and values to consider, all if empty), ARGS (further arguments of kv plan; --depths 128
# --judge 16 measures little but bytes), APPEND=1 (keep the rows that are there), JSON (a folder for the runs).
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,11p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
ech0=${ECH0:-build/ech0} csv=${CSV:-bench/results/kv-plan.csv} threads=${THREADS:-1} texts=${TEXTS:-1}
contexts=${CONTEXTS:-1024:: 4096::}
mkdir -p "$(dirname "$csv")"
if [ -z "${JSON:-}" ]; then JSON=$(mktemp -d); trap 'rm -rf "$JSON"' EXIT; fi
machine=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo 2> /dev/null || sysctl -n machdep.cpu.brand_string)
if [ -z "${APPEND:-}" ]; then
    {
        echo "# command: $0, THREADS=$threads TEXTS=$texts CONTEXTS=\"$contexts\"; machine: $machine; commit: $(git rev-parse --short HEAD 2> /dev/null || echo unknown); $("$ech0" --version)"
        echo "# kl: nats per token from an f16 cache, largest mean of three depths (a quarter, a half, the whole) with its lower end; high: largest upper end; top1: least share of tokens with the same likeliest; run: false = sum of what keys and values lose alone"
        echo "model,model_sha256,ctx,texts,judged,k,v,kv_bytes,measured_kv_bytes,predicted_bytes,measured_bytes,measured_over_predicted,kl,low,high,kl_by_depth,top1,run,front,chosen"
    } > "$csv"
fi

for context in $contexts; do
    for model in "$@"; do
        IFS=: read -r n_ctx k v <<< "$context"
        run=$JSON/$(basename "$model" .gguf)-$n_ctx.json
        arguments=(--ctx "$n_ctx" --texts "$texts" --threads "$threads" --json)
        # shellcheck disable=SC2206 # words
        arguments+=(${ARGS:-})
        [ -z "$k" ] || arguments+=(--k "$k")
        [ -z "$v" ] || arguments+=(--v "$v")
        # 1: nothing is close enough, which is a result too.
        "$ech0" kv plan "$model" "${arguments[@]}" > "$run" || [ $? -eq 1 ]
        python3 - "$run" >> "$csv" << 'END'
import json, os, sys
run = json.load(open(sys.argv[1]))
for p in run["pairs"]:
    name = p["type_k"] if p["type_k"] == p["type_v"] else p["type_k"] + "/" + p["type_v"]
    measured = p["measured_bytes"]
    print(*[os.path.basename(run["model"]).removesuffix(".gguf"), run["model_sha256"][:16], run["n_ctx"], run["n_texts"], run["n_judged"],
            p["type_k"], p["type_v"], p["kv_bytes"], p["measured_kv_bytes"] or "", p["predicted_bytes"], measured or "",
            f"{measured / p['predicted_bytes']:.4f}" if measured else "", f"{p['kl_divergence']:.6f}", f"{p['low']:.6f}",
            f"{p['high']:.6f}", " ".join(f"{x:.6f}" for x in p["kl_by_depth"]),
            f"{min(p['top1_by_depth']):.4f}" if p["top1_by_depth"] else "", str(p["measured"]).lower(),
            str(p["on_front"]).lower(), str(name == run["chosen"]).lower()], sep=",")
END
    done
done
awk -F, '!/^#/ && $11 ~ /^[0-9]/ { n++; off = 100 * ($12 - 1); if (n == 1 || off < least) least = off; if (n == 1 || off > most) most = off; if (off < -3 || off > 3) far++ }
    END { printf "%d pairs measured: %+.1f %% to %+.1f %% of predicted, %d beyond 3 %%\n", n, least, most, far }' "$csv"
