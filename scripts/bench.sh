#!/usr/bin/env bash
# The benchmarks of bench/ on the two test models; tables on stdout, a CSV of each in bench/results/. Takes hours.
#
# TEXT=FILE[,FILE…]    judge on these texts, such as wikitext-2's test part and a novel; default: ech0's own evaluation texts
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir="${1:?usage: scripts/bench.sh FOLDER}"
scripts/setup.sh bench
models="$(scripts/test_models.sh)"
make_scratch
if [ -z "${TEXT:-}" ]; then
    TEXT="$scratch/evaluation.txt"
    cat share/texts/evaluation/*.txt > "$TEXT"
fi
export ECH0="$build_dir/ech0" PEERS="$build_dir/peers"

# k-quants need rows of a multiple of 256: only the wide model has them.
bench/compress_against_llama_quantize.sh "$models/smollm2-768-qwen2.gguf" "$TEXT" Q2_K IQ3_XXS IQ2_M Q3_K_S Q3_K_M IQ4_XS Q4_K_M Q5_K_M
bench/compress_against_llama_quantize.sh "$models/smollm2-135m-f16.gguf" "$TEXT" Q4_0 IQ4_NL Q5_0 Q5_1

# What each part of the rounding is worth, and at one type for all matrices.
parts="plain feedback,sweeps=0,shrink=0 feedback,sweeps=0 feedback feedback,sequential,step=0,stream=0 feedback,sequential,stream=0 feedback,sequential feedback,sequential,choose"
IFS=, read -ra texts <<< "$TEXT"
"$build_dir/bench/rounding" "$models/smollm2-768-qwen2.gguf" Q3_K 8 "$parts" "${texts[@]}" | tee bench/results/rounding-Q3_K.csv
for type in Q2_K Q4_K IQ3_S; do
    "$build_dir/bench/rounding" "$models/smollm2-768-qwen2.gguf" "$type" 8 "plain feedback feedback,sequential,choose" "${texts[@]}" | tee "bench/results/rounding-$type.csv"
done

# Pruning beside magnitude and llama-quantize --prune-layers; compress under a memory limit, and its growth with layers.
for model in smollm2-768-qwen2 smollm2-135m-f16; do
    bench/prune_against_others.sh "$models/$model.gguf" "${texts[0]}" "10 20 30"
done
MAKE_RANDOM_MODEL="$build_dir/bench/make_random_model" bench/compress_memory.sh mistral:7b F16 3GiB "2 4 8" -- --type Q3_K
MAKE_RANDOM_MODEL="$build_dir/bench/make_random_model" bench/compress_memory.sh qwen2.5:32b Q4_K 8GiB "2" -- --type Q3_K

# KV caches: packed without loss beside zstd, with loss beside the engine's own types and a codec as published, over
# documents that begin at these bytes of the longest text; and sessions restored beside read again.
text="" size=0
for each in "${texts[@]}"; do
    bytes="$(wc -c < "$each")"
    if [ "$bytes" -gt "$size" ]; then text="$each" size="$bytes"; fi
done
documents=()
for part in 1 2 3 4 5 6 7 8; do documents+=("$text@$((size * part / 10))"); done
export MAKE_KV_STATE="$build_dir/bench/make_kv_state" BUILD="$build_dir"
bench/kv_lossless.sh "$text" "1024 4096" "$models"/smollm2-768-qwen2.gguf "$models"/smollm2-135m-f16.gguf
for model in smollm2-768-qwen2 smollm2-135m-f16; do bench/kv_lossy.sh "$models/$model.gguf" "1024 4096" "${documents[@]}"; done
