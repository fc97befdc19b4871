#!/usr/bin/env bash
# Does ech0 verify measure what llama-perplexity --kl-divergence of the same engine measures?
#
#   bench/verify_against_llama_perplexity.sh ORIGINAL.gguf TEXT.txt [TYPE...]
#
# For each TYPE (default: Q2_K Q4_K_M Q6_K) llama-quantize makes a candidate. Both programs read the same chunks of TEXT;
# mean KL divergence, both perplexities and top-token agreement are put side by side. Exit status 1 if one of them differs
# by more than 1 %. llama-perplexity keeps the original's log-probabilities in 16 bits on disk, none below e^-16 of the largest:
# that is most of the difference, and why the perplexity which it printed before it stored them is a row of its own.
# Environment: ECH0 (build/ech0), PEERS (build/peers), CHUNKS (40), CTX (512), THREADS (all), WORK (a temporary folder), CSV.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 2; }
[ $# -ge 2 ] || usage
original=$1 text=$2; shift 2
types=("$@"); [ $# -gt 0 ] || types=(Q2_K Q4_K_M Q6_K)
ech0=${ECH0:-build/ech0} peers=${PEERS:-build/peers} chunks=${CHUNKS:-40} ctx=${CTX:-512} threads=${THREADS:-$(getconf _NPROCESSORS_ONLN)}
if [ -z "${WORK:-}" ]; then WORK=$(mktemp -d); trap 'rm -rf "$WORK"' EXIT; fi
mkdir -p "$WORK"
csv=${CSV:-bench/results/verify-$(basename "$original" .gguf).csv}; mkdir -p "$(dirname "$csv")"
hash_of() { if command -v sha256sum > /dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c1-64; }
peer() { "$peers/llama-perplexity" -f "$text" -c "$ctx" -t "$threads" --chunks "$chunks" --kl-divergence-base "$WORK/original.kld" "$@" 2>&1; }

from=$(date +%s)
peer -m "$original" > "$WORK/original.log" || { tail -5 "$WORK/original.log" >&2; exit 2; }
candidates=()
for type in "${types[@]}"; do
    "$peers/llama-quantize" "$original" "$WORK/$type.gguf" "$type" "$threads" > "$WORK/$type.quantize.log" 2>&1 || { tail -5 "$WORK/$type.quantize.log" >&2; exit 2; }
    peer -m "$WORK/$type.gguf" --kl-divergence > "$WORK/$type.log" || { tail -5 "$WORK/$type.log" >&2; exit 2; }
    candidates+=("$WORK/$type.gguf")
done
peer_s=$(( $(date +%s) - from ))
from=$(date +%s)
"$ech0" verify "$original" "${candidates[@]}" --text "$text" --ctx "$ctx" --chunks "$chunks" --threads "$threads" --quick --json > "$WORK/verify.json"
ech0_s=$(( $(date +%s) - from ))

# What ech0 says, one line per candidate: path, mean KL, perplexity, the original's perplexity twice, share of the same top token.
ours() {
    awk '{ value = $2; sub(/,$/, "", value) }
        /"paired":/ { exit }
        $1 == "\"path\":" { gsub(/"/, "", value); path = value }
        $1 == "\"perplexity\":" { if (original == "") original = value; else perplexity = value }
        $1 == "\"mean\":" { kl = value }
        $1 == "\"top1_agreement\":" { print path, kl, perplexity, original, original, value }' "$WORK/verify.json"
}
# The same of llama-perplexity: mean KL, perplexity, the original's perplexity as stored and as printed, share of the same top token.
theirs() {
    awk -v printed="$(sed -n 's/.*Final estimate: PPL = \([0-9.]*\).*/\1/p' "$WORK/original.log")" '/^Mean PPL\(Q\) / { q = $4 } /^Mean PPL\(base\) / { base = $4 } /^Mean +KLD:/ { kl = $3 } /^Same top p:/ { top = $4 / 100 }
        END { if (top == "" || printed == "") exit 1; print kl, q, base, printed, top }' "$1"
}

machine=$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo 2> /dev/null || sysctl -n machdep.cpu.brand_string)
{
    echo "# command: $0 $(basename "$original") $(basename "$text") ${types[*]}"
    echo "# machine: $machine, $threads threads; commit: $(git rev-parse --short HEAD 2> /dev/null || echo unknown); $("$ech0" --version)"
    echo "# original sha256: $(hash_of "$original"); text sha256: $(hash_of "$text"); at most $chunks chunks of $ctx tokens"
    echo "# seconds: llama-quantize and llama-perplexity $peer_s, ech0 verify (with greedy agreement) $ech0_s"
    echo "type,quantity,llama_perplexity,ech0,relative_difference"
} > "$csv"
for i in "${!types[@]}"; do
    type=${types[$i]}
    mine=$(ours | sed -n "$((i + 1))p"); other=$(theirs "$WORK/$type.log") || { echo "no result in $WORK/$type.log" >&2; exit 2; }
    awk -v type="$type" -v mine="$mine" -v other="$other" 'BEGIN {
        split("kl_divergence,perplexity,perplexity_original_stored,perplexity_original_printed,top1_agreement", name, ","); split(mine, m, " "); split(other, o, " ")
        for (i = 1; i <= 5; i++) printf "%s,%s,%s,%s,%.6f\n", type, name[i], o[i], m[i + 1], m[i + 1] / o[i] - 1 }' >> "$csv"
done
awk -F, '!/^#/ { if ($1 == "type") { printf "%-10s %-28s %16s %12s %12s\n", "candidate", "quantity", "llama-perplexity", "ech0", "difference"; next }
        size = $5 < 0 ? -$5 : $5; if (size > largest) largest = size
        printf "%-10s %-28s %16.6f %12.6f %10.3f %%\n", $1, $2, $3, $4, 100 * $5 }
    END { printf "largest difference %.3f %%, wanted at most 1 %%\n", 100 * largest; exit (largest > 0.01) }' "$csv"
