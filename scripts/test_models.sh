#!/usr/bin/env bash
# The two real test models that make_models.py makes from the demo model, once into the cache (650 MB); their folder on
# stdout. Same bytes on every machine: the hashes are checked.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
scripts="$(dirname "${BASH_SOURCE[0]}")"

models="$ECH0_CACHE/models"
hashes="
dbc2dc12d66d0f0334ed71790f4e2fdcde85a117a6fb64d6cedd26d607634ac9  smollm2-135m-f16.gguf
909657e23885a6bad9811a5ce23719e3e9bc3bd43cca726a171acb4164d143d8  smollm2-768-qwen2.gguf
"

all_right() { # IN
    local hash name
    echo "$hashes" | while read -r hash name; do
        if [ -n "$name" ] && { [ ! -f "$1/$name" ] || [ "$(sha256 "$1/$name")" != "$hash" ]; }; then return 1; fi
    done
}

source_model="$("$scripts/demo_model.sh")"
if ! all_right "$models"; then
    make_scratch
    need_cache_python
    note "making the test models (about a minute, once)"
    pip_or_die "can't install the Python packages numpy and gguf" install 'numpy<3' gguf==0.19.0
    "$cache_python" "$scripts/make_models.py" "$source_model" "$scratch"
    all_right "$scratch" || die "make_models.py made other bytes than the hashes in scripts/test_models.sh: was one of them changed?"
    mv "$scratch"/*.gguf "$models/"
fi
echo "$models"
