# shellcheck shell=bash disable=SC2154
# For benchmarks that have llama-perplexity judge models by one text; to be sourced, behind what sets peers, text, threads,
# chunks and work (a folder).

# MODEL: keep what the original predicts, which the others are held against.
keep_original() {
  [ -s "$work/original.kld" ] || "$peers/llama-perplexity" -m "$1" -f "$text" -t "$threads" --chunks "$chunks" --save-all-logits "$work/original.kld" > "$work/original.log" 2>&1
}

# MODEL: mean KL divergence to the original, by how much perplexity is more than the original's, and how many times it is.
judged() {
  "$peers/llama-perplexity" -m "$1" -f "$text" -t "$threads" --kl-divergence --kl-divergence-base "$work/original.kld" 2>&1 |
    awk '/Mean PPL\(Q\)-PPL\(base\)/ { ppl = $4 } /Mean PPL\(Q\)\/PPL\(base\)/ { ratio = $4 } /Mean +KLD:/ { kl = $3 } END { if (kl == "") exit 1; printf "%s %s %s", kl, ppl, ratio }'
}
