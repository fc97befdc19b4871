#!/usr/bin/env bash
# The benchmarks of bench/ on the two test models; tables on stdout, a CSV of each in bench/results/. Takes hours.
#
# TEXT=FILE    judge on this text, such as wikitext-2's test part; default: ech0's own evaluation texts
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build_dir="${1:?usage: scripts/bench.sh FOLDER}"
models="$(scripts/test_models.sh)"
make_scratch
if [ -z "${TEXT:-}" ]; then
    TEXT="$scratch/evaluation.txt"
    cat share/texts/evaluation/*.txt > "$TEXT"
fi
export ECH0="$build_dir/ech0" PEERS="$build_dir/peers"

# k-quants need rows of a multiple of 256: only the wide model has them.
bench/compress_against_llama_quantize.sh "$models/smollm2-768-qwen2.gguf" "$TEXT" Q2_K IQ2_M Q3_K_S Q3_K_M IQ4_XS Q4_K_M Q5_K_M
bench/compress_against_llama_quantize.sh "$models/smollm2-135m-f16.gguf" "$TEXT" Q4_0 IQ4_NL Q5_0 Q5_1
