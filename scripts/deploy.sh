#!/usr/bin/env bash
# Deploys the Worker to Cloudflare, after its migrations. DRY=1 does everything but the upload, and
# prints the size.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# On its free plan, Cloudflare accepts 3 MB gzipped, and a start of at most 1 s. The start is the
# tighter limit: V8 needs 21 ms of CPU to read 1.25 MB (3.3 MB of wasm) and 150 ms to compile all of
# it, so 1.75 MB leaves room in both. Compiling crates that are seldom run (csv, time, worker and
# others) with `opt-level` s or z saves nothing: the wasm became 2 to 4 KB larger.
limit=1750000

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
say 'plan: Workers Free has 10 ms of CPU time a request. Token apps, keys and issuers stay below;'
say '  a sign-in with a password takes 25 to 40 ms, and needs Workers Paid (docs/operate/deploy.md)'

if [ "${DRY:-}" = 1 ]; then
  wrangler deploy --dry-run --outdir .build/upload </dev/null
  exit
fi

if grep -q '00000000-0000-0000-0000-000000000000' wrangler.toml; then
  die 'wrangler.toml still has the placeholder ids of D1 and KV' \
    'create both, and write their ids into it: docs/operate/deploy.md'
fi
wrangler d1 migrations apply DB --remote </dev/null
wrangler deploy </dev/null
say 'deployed. To check that it keeps docs/design/promises.md:'
say '  PASSWORD=… make smoke URL=https://…'
