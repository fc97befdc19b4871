#!/usr/bin/env bash
# The page that is built into the program (web/), with Node 20 and the packages of web/package-lock.json.
#
#   scripts/web.sh build          web/page.html from web/src
#   scripts/web.sh screenshots    docs/images, of the pages that the last test made
#   scripts/web.sh measure        how fast these pages are, for docs/dashboard.md
#   scripts/web.sh test BUILD     types; the page is what the sources build; the page's rules are the program's; formats as
#                                 an independent JSON Schema validator reads them; and the page in Chromium, over real runs
#
# Nothing of this is needed to build or use ech0: web/page.html is in the repository.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

root="$PWD" # where BUILD is named from
scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
"$scripts/setup.sh" web
cd "$scripts/../web"
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    note "fetching the packages of web/package-lock.json"
    npm ci --no-audit --no-fund >&2
fi

case "${1:-}" in
    build) npm run --silent build ;;
    test)
        build="$(cd "$root" && cd "${2:?BUILD folder}" && pwd)"
        npx tsc --noEmit
        npx vite build --logLevel warn
        node scripts/seal.mjs dist/page.html > /dev/null
        cmp page.html dist/page.html || die "web/page.html is not what web/src builds: run 'make web' and commit it"
        ECH0_PROGRAM="$build/ech0" npx playwright test ${ECH0_WEB_WORKERS:+--workers="$ECH0_WEB_WORKERS"}
        npx vitest run
        ;;
    screenshots) node scripts/screenshots.mjs ;; # of the pages that the last test made
    measure) node scripts/measure.mjs ;;
    *) die "usage: scripts/web.sh build | test BUILD | screenshots | measure" ;;
esac
