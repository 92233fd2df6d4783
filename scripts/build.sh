#!/usr/bin/env bash
# Builds the Worker into build/ if any of its sources has changed, after setting up what is missing.
# `scripts/build.sh probe` builds into .build/probe/ with the feature `panic_probe`: a Worker that
# tests can make panic.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Callers that have built set this. Otherwise each wrangler that they start would check again
# (wrangler.toml, [build]).
if [ -n "${POSTERN_BUILT:-}" ]; then exit 0; fi

# shellcheck source=scripts/lib/wasm-target.sh
. scripts/lib/wasm-target.sh

case ${1:-} in
  '') out=build features=() ;;
  probe) out=.build/probe/build features=(--features panic_probe) ;;
  *) die "unknown build: $1" ;;
esac
stamp=.build/${1:-worker}.stamp
made=.build/${1:-worker}.made
sources=(src argon2id build-helper Cargo.toml Cargo.lock scripts/build.sh)

up_to_date() {
  [ -f "$stamp" ] && [ -f "$out/index_bg.wasm" ] && [ -f "$env_file" ] &&
    [ -z "$(find "${sources[@]}" "$env_file" -newer "$stamp" ! -name entry.mjs -print -quit)" ]
}

# The helper runs on this machine. It is compiled with the active compiler, unless that is too old.
compile_helper() {
  local toolchain=
  version_at_least rustc "$(minimum_rust)" || toolchain=${wasm_toolchain:-}
  quietly .build/helper.log \
    under "$toolchain" cargo build --locked --package build-helper --profile build-helper ||
    die 'the build helper could not be compiled' \
      'it needs a reachable crates registry and a C compiler' \
      'once there are both, run the same again'
}

# If only the features have changed, cargo would take the probe's file for the Worker's, so the file
# is deleted first.
#
# The wasm contains the names of the source files that can panic. Without this machine's folder in
# them, the same commit and compiler make the same bytes on each machine.
compile_worker() {
  local crates=${CARGO_HOME:-$HOME/.cargo}/registry/src
  rm -f "$1/deps/postern.wasm"
  under "$wasm_toolchain" cargo build --locked --lib --release --target "$target" \
    --config "target.$target.rustflags=['--remap-path-prefix=$crates=/crates']" \
    ${features[@]+"${features[@]}"} </dev/null ||
    die 'the Worker could not be compiled'
}

# A user may have set another folder than target/.
target_folder() {
  cargo metadata --locked --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# One build at a time: cargo writes the Worker and the probe to the same place, and each build must
# read its own. The lock has the process's id, so that nobody waits for a process that has ended.
lock=.build/lock
lock() {
  local holder
  until ln -s $$ $lock 2>/dev/null; do
    holder=$(readlink $lock) || continue
    [ -n "${waited:-}" ] || say "waiting for another build (process $holder)"
    waited=1
    kill -0 "$holder" 2>/dev/null || rm -f $lock
    sleep 0.2
  done
}

build() {
  say "building the Worker into $out"
  # The time at the beginning, so that files which are saved during the build count as changed.
  touch "$stamp.new"
  local targets release
  targets=$(target_folder)
  release=$targets/$target/release
  [ -n "$beside" ] || start_beside compile_helper
  compile_worker "$release"
  wait_beside || exit 1
  rm -rf "$made"
  "$targets/build-helper/build-helper" "$release/postern.wasm" "$made" ||
    die 'the wasm could not be bound'
  # The build is made in another folder and moved, so that nobody reads half of it.
  mkdir -p "$out"
  rm -rf "$made.old"
  mv "$out" "$made.old"
  mv "$made" "$out"
  rm -rf "$made.old"
  mv "$stamp.new" "$stamp"
}

# On a new machine, the helper compiles while npm and rustup wait for the network.
beside=
if ! up_to_date && has cc && has cargo && version_at_least rustc "$(minimum_rust)"; then
  mkdir -p .build
  [ -e .build/helper.log ] || say 'compiling the build helper, beside what follows'
  start_beside compile_helper
fi
scripts/setup.sh
load_env
if ! up_to_date; then
  lock
  up_to_date || build
  rm -f $lock
fi

if [ "${1:-}" = probe ]; then
  # The entry imports ../../build/index.js. From this folder, that is the probe's.
  mkdir -p .build/probe/src/edge
  cp src/edge/entry.mjs .build/probe/src/edge/
fi
