#!/usr/bin/env bash
# Sets the machine up: the wasm32 target, the npm packages, and a Node that is new enough. Does only
# what is missing, reports each thing that it does, and prints nothing if there is nothing to do.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/wasm-target.sh
. scripts/lib/wasm-target.sh
# shellcheck source=scripts/lib/node.sh
. scripts/lib/node.sh

check_machine() {
  local missing=() tool
  for tool in git make cc cargo rustc node npm; do
    has "$tool" || missing+=("$tool")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    die "not found: ${missing[*]}" \
      'git, make, cc: your system'\''s packages' \
      '               (Debian: apt-get install git build-essential;' \
      '               macOS: xcode-select --install)' \
      'cargo, rustc:  https://rustup.rs, or on Debian 12:' \
      '               apt-get install rustc-web cargo-web rust-web-clippy rustfmt-web' \
      'node, npm:     https://nodejs.org, version 20 or newer'
  fi
  local node_major
  node_major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$node_major" -ge 20 ] ||
    die "node is $(node --version); version 20 or newer is needed (https://nodejs.org)"
}

# A copy of the lock file in node_modules records what was installed. It disappears together with
# node_modules.
install_npm_packages() {
  local installed=node_modules/.postern-lock.json
  if cmp -s package-lock.json "$installed"; then return; fi
  say 'installing wrangler and miniflare (npm ci)'
  quietly .build/npm.log npm ci || die 'npm ci failed' \
    'it needs a reachable npm registry; once there is one, run the same again'
  cp package-lock.json "$installed"
}

write_env() {
  {
    printf '# Written by scripts/setup.sh. Where the tools of this machine are.\n'
    printf 'wasm_toolchain=%q\n' "$wasm_toolchain"
    printf 'wasm_compiler=%q\n' "$wasm_compiler"
    if [ -n "$node_bin" ]; then printf 'export PATH=%q:$PATH\n' "$node_bin"; fi
  } >"$env_file.new"
  # An unchanged file keeps its time, which the build compares.
  if cmp -s "$env_file.new" "$env_file"; then
    rm "$env_file.new"
  else
    mv "$env_file.new" "$env_file"
  fi
}

mkdir -p .build
if [ "${WORKERS_CI:-}" = 1 ] && ! has cargo; then bring_rust; fi
check_machine
check_configuration
start_beside install_npm_packages
find_wasm_target
find_node
wait_beside
write_env
