# For the scripts beside it: sourced, never run. Leaves the working directory at the top of the
# checkout.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Where a user's own Rust is found even if the shell that called us does not list it.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern
env_file=.build/env

# No questions, no metrics, no calls home: these scripts also run where nobody answers and nothing
# is reachable.
export CI=1 WRANGLER_SEND_METRICS=false WRANGLER_HIDE_BANNER=true CLOUDFLARE_CF_FETCH_ENABLED=false

# A `make` that wrangler or a test starts must not try to join the job server of the one that called
# us.
unset MAKEFLAGS MAKELEVEL MFLAGS

say() { printf 'postern: %s\n' "$*"; }

die() {
  printf 'postern: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a long command with its output in a log. It prints a sign of life every half minute, and the
# end of the log if the command fails. It is a subshell, so that two of them can run side by side.
# quietly LOG COMMAND…
quietly() (
  log=$1 started=$SECONDS next=30
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  # The command ends with this shell, also when a user interrupts.
  trap 'kill $pid 2>/dev/null' EXIT
  while kill -0 $pid 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - started)) -ge $next ]; then
      say "  … $next s: $(tail -n 1 "$log" | cut -c 1-100)"
      next=$((next + 30))
    fi
  done
  trap - EXIT
  wait $pid && exit 0
  printf '  … the end of %s:\n' "$log" >&2
  tail -n 25 "$log" >&2
  exit 1
)

# Starts a function beside what follows. `wait_beside` waits for it and answers whether it
# succeeded. It has a process group of its own, so that all of it ends with this script.
# start_beside FUNCTION
start_beside() {
  set -m
  "$1" &
  beside=$!
  set +m
  trap 'kill -- -$beside 2>/dev/null' EXIT
}

wait_beside() {
  local status=0
  wait "$beside" || status=$?
  trap - EXIT
  return $status
}

# Runs a command for at most so many seconds where the machine can (macOS has no `timeout`).
# bounded SECONDS COMMAND…
bounded() {
  if has timeout; then timeout "$@"; else shift && "$@"; fi
}

# wrangler would read either of them in place of wrangler.toml, and say nothing.
check_configuration() {
  local file
  for file in wrangler.json wrangler.jsonc; do
    [ ! -e $file ] || die "$file lies beside wrangler.toml, and wrangler would read only $file" \
      'move what it configures into wrangler.toml, and remove it'
  done
}

# What `setup.sh` found out: wasm_toolchain, and a PATH on which `node` is new enough for wrangler.
load_env() {
  [ -f "$env_file" ] || die 'nothing is set up yet' 'run: make build'
  # shellcheck disable=SC1090
  . "$env_file"
}

wrangler() { node node_modules/wrangler/bin/wrangler.js "$@"; }
