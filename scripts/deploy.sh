#!/usr/bin/env bash
# Puts the Worker on Cloudflare, migrations first. DRY=1: everything but the upload, with its size.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Cloudflare takes 3 MB gzipped on its free plan, and a start of at most 1 s. The start is what
# would hurt first: V8 needs 21 ms of CPU to take in 1.25 MB (3.3 MB of wasm) and 150 ms to compile
# all of it, so that 1.75 MB leaves room in both. Smaller code for crates that are seldom run (csv,
# time, worker and the like at `opt-level` s or z) saves nothing: the wasm came out 2 to 4 KB
# larger.
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
say 'plan: Workers Free has 10 ms of CPU time a request, which token apps, keys and issuers stay below;'
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
say 'deployed; see whether it keeps what docs/design/promises.md says: PASSWORD=… make smoke URL=https://…'
