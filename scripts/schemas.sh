#!/usr/bin/env bash
# Write docs/schemas: every format of docs/json.md as JSON Schema.
#
#   scripts/schemas.sh BUILD
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 1 ] || die "usage: scripts/schemas.sh BUILD"
rm -rf docs/schemas
mkdir -p docs/schemas
"$1/ech0" report --schema all | while read -r name; do
    "$1/ech0" report --schema "$name" > "docs/schemas/${name/\//-}.json"
done
