#!/usr/bin/env bash
# Builds the Worker and its peers, and measures them side by side with bench/main.mjs. Takes ROUNDS,
# SECONDS, WARM, PROCESSES and ONLY.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/wasm-target.sh
. scripts/lib/wasm-target.sh
# shellcheck source=scripts/lib/proxies.sh
. scripts/lib/proxies.sh
# shellcheck source=scripts/lib/programs.sh
. scripts/lib/programs.sh

[ -r /proc/self/stat ] ||
  die 'this needs /proc to read the CPU time of a process, and this system has none'
if ! has wrk; then
  say 'installing wrk, which makes the load'
  install_wrk() {
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends wrk
  }
  { has apt-get && may_be_root && quietly "$cache/wrk.log" install_wrk; } ||
    die 'wrk is missing' 'Debian: apt-get install wrk; macOS: brew install wrk'
fi

scripts/build.sh
load_env
export POSTERN_BUILT=1

installed=bench/node_modules/.postern-lock.json
if ! cmp -s bench/package-lock.json "$installed"; then
  say 'installing the peers and esbuild (npm ci)'
  (cd bench && quietly ../.build/npm-bench.log npm ci --ignore-scripts) || die 'npm ci failed'
  cp bench/package-lock.json "$installed"
fi
for peer in bench/peers/*.mjs; do
  bench/node_modules/.bin/esbuild "$peer" --bundle --format=esm --external:cloudflare:workers \
    --platform=browser --conditions=worker,browser --minify --log-level=warning \
    --outfile=".build/bench/$(basename "$peer")"
done

# Each of these may fail. The table then says what is not installed here.
build_axum() {
  cargo build --release --locked --manifest-path bench/peers/axum/Cargo.toml \
    --target-dir .build/axum
}
if [[ -z ${ONLY:-} || $ONLY == *gate* ]]; then
  libraries=missing find_tree gates nginx libnginx-mod-http-js haproxy apache2-bin \
    libapache2-mod-auth-openidc || :
  install_from_pypi || :
  say 'compiling the peer in Rust'
  quietly .build/axum.log build_axum || :
fi

rm -f .build/bench/profile.md
if ! has perf; then
  say 'no perf here (Debian: apt-get install linux-perf):'
  say '  the results will not say where the time goes'
elif [[ -z ${ONLY:-} || $ONLY == *profile* ]]; then
  say 'looking where the time goes'
  node bench/profile.mjs
fi
exec node bench/main.mjs
