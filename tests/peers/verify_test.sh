#!/usr/bin/env bash
# The divergence, both perplexities and the agreement of `ech0 verify` against `llama-perplexity --kl-divergence`: same
# engine, text, context and chunks, so at most 1 % apart (llama-perplexity keeps the original's logits in 16 bits).
set -euo pipefail
: "${ECH0:?the ech0 to test}" "${PEERS:?the folder of llama-quantize and llama-perplexity}"

demo="${ECH0_CACHE:-$HOME/.cache/ech0}/models/smollm2-135m-instruct-q4_1.gguf"
for needed in "$demo" "$PEERS/llama-quantize" "$PEERS/llama-perplexity"; do
    if [ ! -f "$needed" ]; then
        echo "skipped, there is no $needed: 'make test' gets it"
        exit 77
    fi
done
texts="$(cd "$(dirname "$0")/../../share/texts/evaluation" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

cat "$texts"/*.txt > text.txt
"$PEERS/llama-quantize" --allow-requantize "$demo" candidate.gguf Q4_0 > quantize.log 2>&1
"$PEERS/llama-perplexity" -m "$demo" -f text.txt -c 512 --chunks 3 --save-all-logits original.kld > original.log 2>&1
"$PEERS/llama-perplexity" -m candidate.gguf -f text.txt --kl-divergence --kl-divergence-base original.kld > peer.log 2>&1
"$ECH0" verify demo candidate.gguf --text text.txt --ctx 512 --chunks 3 --quick --json > ours.json

python3 - << 'PYTHON'
import json, re, sys

peer = open("peer.log").read()
ours = json.load(open("ours.json"))
candidate = ours["candidates"][0]

def said(name):
    return float(re.search(re.escape(name) + r"\s*:\s*(-?[\d.]+)", peer)[1])

pairs = [
    ("mean KL divergence", candidate["kl_divergence"]["mean"], said("Mean    KLD")),
    ("perplexity of the original", ours["original"]["perplexity"], said("Mean PPL(base)")),
    ("perplexity of the candidate", candidate["perplexity"], said("Mean PPL(Q)")),
    ("top-1 agreement", candidate["top1_agreement"], said("Same top p") / 100),
]
apart = False
for name, a, b in pairs:
    off = abs(a / b - 1)
    apart |= off > 0.01
    print(f"{name:28} ech0 {a:10.5f}   llama-perplexity {b:10.5f}   {100 * off:.2f} % apart")
sys.exit(1 if apart else 0)
PYTHON
