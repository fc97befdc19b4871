#!/usr/bin/env bash
# `ech0 talk` with a microphone and a loudspeaker, without hardware: a private PulseAudio has two null sinks, which keep
# time as real cards do. One is the loudspeaker; the other's monitor is the microphone, and a Piper voice speaks into it.
# Capture, play-out, barge-in and push-to-talk (keys in a pseudo-terminal) run as they do for a person; what came out of
# the loudspeaker is recorded and written down again. Then ALSA's null device, and no device at all.
#
#   bench/talk_by_device.sh [BUILD] [OUT.csv]     Linux; needs `make voice`, `make demo-model`, and Debian's packages
#                                                 pulseaudio, pulseaudio-utils, libasound2-plugins
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build="${1:-build}" out="${2:-bench/results/talk-by-device.csv}"
[ -x "$build/ech0" ] || die "no $build/ech0: run 'make voice'"
for program in pulseaudio pactl paplay parecord python3; do has "$program" || die "$program is missing: apt-get install pulseaudio pulseaudio-utils libasound2-plugins"; done
make_scratch
# The caches stay ours; the home is another, so that nobody's sound settings matter or change.
export ECH0_VOICE="${ECH0_VOICE:-$ECH0_CACHE/voice}" ECH0_CONFIG="$scratch/config"
mkdir -p "$scratch/home" "$scratch/run"
chmod 700 "$scratch/run"
HOME="$scratch/home" XDG_RUNTIME_DIR="$scratch/run" python3 bench/talk_by_device.py "$(cd "$build" && pwd)/ech0" "$scratch" "$out" \
    "$(git rev-parse --short HEAD)"
