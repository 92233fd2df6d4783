# For the scripts beside it: sourced, never run. Changes to the top folder of the checkout.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# A user's own Rust is here, even if the calling shell does not list it.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

cache=${XDG_CACHE_HOME:-$HOME/.cache}/postern
env_file=.build/env

# No questions, metrics or network calls: these scripts also run where nobody answers and nothing is
# reachable.
export CI=1 WRANGLER_SEND_METRICS=false WRANGLER_HIDE_BANNER=true CLOUDFLARE_CF_FETCH_ENABLED=false

# A `make` that wrangler or a test starts must not join the job server of the one that called us.
unset MAKEFLAGS MAKELEVEL MFLAGS

say() { printf 'postern: %s\n' "$*"; }

die() {
  printf 'postern: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Runs a long command with its output in a log. Prints a sign of life every half minute, and the end
# of the log if the command fails. It is a subshell, so two can run side by side.
# quietly LOG COMMAND…
quietly() (
  log=$1 started=$SECONDS next=30
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  # The command ends with this shell, also if a user interrupts it.
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

# Starts a function in the background. `wait_beside` waits for it and returns its status. It has its
# own process group, so all of it ends with this script.
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

# Limits a command to so many seconds if the machine can (macOS has no `timeout`).
# bounded SECONDS COMMAND…
bounded() {
  if has timeout; then timeout "$@"; else shift && "$@"; fi
}

# wrangler would silently read either of them instead of wrangler.toml.
check_configuration() {
  local file
  for file in wrangler.json wrangler.jsonc; do
    [ ! -e $file ] || die "$file lies beside wrangler.toml, and wrangler would read only $file" \
      'move what it configures into wrangler.toml, and remove it'
  done
}

# Loads the results of `setup.sh`: wasm_toolchain, and a PATH whose `node` is new enough for
# wrangler.
load_env() {
  [ -f "$env_file" ] || die 'nothing is set up yet' 'run: make build'
  # shellcheck disable=SC1090
  . "$env_file"
}

wrangler() { node node_modules/wrangler/bin/wrangler.js "$@"; }
