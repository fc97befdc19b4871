#!/usr/bin/env bash
# What `make install` puts works where it is moved to, without the build tree: commands, manual pages, completions, the
# server beside the program.
set -euo pipefail
: "${BUILD:?the build folder}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cmake --install "$BUILD" --prefix "$work/first" > "$work/log"
mv "$work/first" "$work/moved"
tree="$work/moved"
export ECH0_CACHE="${ECH0_CACHE:-$HOME/.cache/ech0}" ECH0_STATE="$work/state" ECH0_CONFIG="$work/config"
fail() { echo "$*" && exit 1; }

# The program of the tree, with nothing of this shell's but a home.
ech0() { (cd "$work" && env -i HOME="$work" PATH=/usr/bin:/bin ECH0_CACHE="$ECH0_CACHE" ECH0_STATE="$ECH0_STATE" "$tree/bin/ech0" "$@"); }
ech0 --version
ech0 fit qwen2.5:0.5b --machine m4-24gb > "$work/fit" || fail "fit: $(cat "$work/fit")"
answer="$(ech0 chat demo -p 'What is the capital of France?' --temp 0 --threads 1)"
[ "$answer" = "The capital of France is Paris." ] || fail "chat says: $answer"
for server in llama-server ggml-rpc-server; do
    [ -x "$tree/libexec/ech0/$server" ] || fail "there is no libexec/ech0/$server: 'make server' builds it"
done
ech0 serve demo --port 0 --print-command | grep -q "^$tree/libexec/ech0/llama-server --model " || fail "serve finds no server"

for command in $(ech0 describe commands); do
    page="$tree/share/man/man1/ech0-$command.1"
    [ -s "$page" ] || fail "no manual page of $command"
    sed 's:\\::g' "$page" > "$work/plain" # a file: of a pipe, grep -q would leave before sed is done
    # Every long option that the help names stands in the page, and in the completions of each shell.
    for option in $(ech0 "$command" -h | grep -oE '^ +(-[a-zA-Z],)*--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        grep -q -e "$option" "$work/plain" || fail "ech0-$command.1 lacks $option"
        grep -q -e "$option" "$tree/share/bash-completion/completions/ech0" || fail "bash lacks $option"
        grep -q -e "$option" "$tree/share/zsh/site-functions/_ech0" || fail "zsh lacks $option"
        grep -q -e "-l ${option#--} " "$tree/share/fish/vendor_completions.d/ech0.fish" || fail "fish lacks $option"
    done
done
completed="$(bash -c ". '$tree/share/bash-completion/completions/ech0'
    COMP_WORDS=(ech0 serve --api) COMP_CWORD=2; _ech0; echo \"\${COMPREPLY[*]}\"")"
[ "$completed" = --api-key ] || fail "bash completes --api to '$completed'"
if command -v zsh > /dev/null; then zsh -n "$tree/share/zsh/site-functions/_ech0"; fi
if command -v fish > /dev/null; then fish -n "$tree/share/fish/vendor_completions.d/ech0.fish"; fi
if command -v man > /dev/null; then man --warnings -l "$tree/share/man/man1/ech0-chat.1" > "$work/page" 2> "$work/warnings"; fi
[ ! -s "$work/warnings" ] || fail "man: $(cat "$work/warnings")"
