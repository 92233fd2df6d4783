#!/usr/bin/env bash
# Builds the Worker into build/ where anything that it is made of has changed; sets up first what is missing.
# `scripts/build.sh probe` builds into .build/probe/ with the feature `panic_probe`: a Worker that tests may make panic.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Set by callers that have built: each wrangler that they start would otherwise ask again (wrangler.toml, [build]).
if [ -n "${POSTERN_BUILT:-}" ]; then exit 0; fi

scripts/setup.sh
load_env

case ${1:-} in
  '') out=build features=() ;;
  probe) out=.build/probe/build features=(--features panic_probe) ;;
  *) die "unknown build: $1" ;;
esac
stamp=.build/${1:-worker}.stamp

up_to_date() {
  [ -f "$stamp" ] && [ -f "$out/index_bg.wasm" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock "$env_file" scripts/build.sh -newer "$stamp" ! -name entry.mjs -print -quit)" ]
}

if ! up_to_date; then
  say "building the Worker into $out"
  # The time of the beginning: what is saved during the build counts as changed.
  touch "$stamp.new"
  if [ -n "$wasm_toolchain" ]; then export RUSTUP_TOOLCHAIN=$wasm_toolchain; fi
  worker-build --release --out-dir "$out" ${features[@]+"${features[@]}"} </dev/null
  mv "$stamp.new" "$stamp"
fi

if [ "${1:-}" = probe ]; then
  # The entry imports ../../build/index.js, which is the probe's from here.
  mkdir -p .build/probe/src/edge
  cp src/edge/entry.mjs .build/probe/src/edge/
fi
