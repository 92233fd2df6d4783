#!/usr/bin/env bash
# Puts the Worker on Cloudflare, migrations first. DRY=1: everything but the upload, with its size.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Where Cloudflare's free plan ends is 3 MB; we promise to stay well below it.
limit=1000000

scripts/build.sh
load_env
export POSTERN_BUILT=1

wasm_size() {
  node -e '
    const wasm = require("node:fs").readFileSync("build/index_bg.wasm");
    console.log(wasm.length, require("node:zlib").gzipSync(wasm).length);'
}

check_size() {
  local raw gzipped
  read -r raw gzipped < <(wasm_size)
  say "wasm: $raw bytes, $gzipped gzipped (limit $limit)"
  [ "$gzipped" -lt $limit ] || die "the wasm is too large: $gzipped bytes gzipped, limit $limit"
}

check_size

if [ "${DRY:-}" = 1 ]; then
  wrangler deploy --dry-run --outdir .build/upload </dev/null
  exit
fi

if grep -q '00000000-0000-0000-0000-000000000000' wrangler.toml; then
  die 'wrangler.toml still has the placeholder ids of D1 and KV' \
    'create both, and write their ids into it: README.md, "Deployment"'
fi
wrangler d1 migrations apply DB --remote </dev/null
wrangler deploy </dev/null
