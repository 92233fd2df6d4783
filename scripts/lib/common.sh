# For the scripts beside it: sourced, never run. Leaves the working directory at the top of the checkout.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Where a user's own Rust is found even if the shell that called us does not list it.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern
env_file=.build/env

# No questions, no metrics, no calls home: these scripts also run where nobody answers and nothing is reachable.
export CI=1 WRANGLER_SEND_METRICS=false WRANGLER_HIDE_BANNER=true CLOUDFLARE_CF_FETCH_ENABLED=false

# A `make` that wrangler or a test starts must not try to join the job server of the one that called us.
unset MAKEFLAGS MAKELEVEL MFLAGS

say() { printf 'postern: %s\n' "$*"; }

die() {
  printf 'postern: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a long command with its output in a log, a sign of life every half minute, and the log's end where it fails.
# quietly LOG COMMAND…
quietly() {
  local log=$1 started=$SECONDS next=30 pid
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  # What was started here ends with us, also when a user interrupts.
  trap 'kill $pid 2>/dev/null' EXIT
  while kill -0 $pid 2>/dev/null; do
    sleep 1
    if [ $((SECONDS - started)) -ge $next ]; then
      say "  … $next s: $(tail -n 1 "$log" | cut -c 1-100)"
      next=$((next + 30))
    fi
  done
  trap - EXIT
  wait $pid && return 0
  printf '  … the end of %s:\n' "$log" >&2
  tail -n 25 "$log" >&2
  return 1
}

# Runs a command for at most so many seconds where the machine can (macOS has no `timeout`).
# bounded SECONDS COMMAND…
bounded() {
  if has timeout; then timeout "$@"; else shift && "$@"; fi
}

# The exact version that Cargo.lock names: the tools follow the crates, so that a version is written once.
locked_version() {
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/^version = "|"$/, ""); print; exit }' Cargo.lock
}

# What `setup.sh` found out: WASM_BINDGEN_BIN, WASM_OPT_BIN, ESBUILD_BIN, PATH and wasm_toolchain.
load_env() {
  [ -f "$env_file" ] || die 'nothing is set up yet' 'run: make build'
  # shellcheck disable=SC1090
  . "$env_file"
}

wrangler() { node node_modules/wrangler/bin/wrangler.js "$@"; }
