#!/usr/bin/env bash
# Another planner's memory figures beside ours and the measured ones, for the cases of bench/predictions.sh.
#
#   bench/planners.sh MODEL.gguf...
#
# Reads bench/results/predictions.csv, which must be of the same MODELs; hollow shapes are made anew. The planner is
# gguf-parser (github.com/gpustack/gguf-parser-go), built from the Go module proxy, told that there is no GPU and no mmap.
# Environment: MAKE_HOLLOW (build/bench/make_hollow_model), PREDICTIONS, CSV, WORK.
set -euo pipefail
cd "$(dirname "$0")/.."
predictions=${PREDICTIONS:-bench/results/predictions.csv} csv=${CSV:-bench/results/planners.csv}
make_hollow=${MAKE_HOLLOW:-build/bench/make_hollow_model}
if [ -z "${WORK:-}" ]; then WORK=$(mktemp -d); trap 'rm -rf "$WORK"' EXIT; fi
(cd bench/peer_planner && go build -mod=mod -o "$WORK/planner" .)
{
    echo "# command: $0; gguf-parser 0.28.1; commit: $(git rev-parse --short HEAD 2> /dev/null || echo unknown)"
    echo "model,ctx,cache,measured,ech0,gguf_parser"
} > "$csv"
awk -F, '$5 == "memory_bytes" && $4 != 1' "$predictions" | while IFS=, read -r model ctx cache _ _ predicted _ _ measured _; do
    file=
    if [ "${model#hollow }" != "$model" ]; then
        read -r _ shape type <<< "$model"
        file=$WORK/hollow-${shape//:/-}-$type.gguf
        [ -f "$file" ] || "$make_hollow" "$shape" "$type" "$file"
    else
        for given in "$@"; do [ "$(basename "$given" .gguf)" = "$model" ] && file=$given; done
    fi
    [ -n "$file" ] || continue
    theirs=$("$WORK/planner" "$file" "$ctx" "$cache") || theirs=0
    printf '%s,%s,%s,%.0f,%.0f,%s\n' "$model" "$ctx" "$cache" "$measured" "$predicted" "$theirs" | tee -a "$csv"
done
awk -F, '!/^#/ && $1 != "model" && $6 > 0 { n++; o = $5 / $4 - 1; t = $6 / $4 - 1; o = o < 0 ? -o : o; t = t < 0 ? -t : t; so += o; st += t; if (o > mo) mo = o; if (t > mt) mt = t }
    END { printf "%d cases; off by, mean (worst): ech0 %.1f %% (%.1f %%), gguf-parser %.1f %% (%.1f %%)\n", n, 100 * so / n, 100 * mo, 100 * st / n, 100 * mt }' "$csv"
