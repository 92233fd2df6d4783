#!/usr/bin/env bash
# Makes the machine ready: the wasm32 target, worker-build, wasm-bindgen, what npm brings, and a Node that is new enough.
# Does only what is missing, says each thing that it does, and is silent where nothing is to be done.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/wasm-target.sh
. scripts/lib/wasm-target.sh
. scripts/lib/node.sh

tools=$cache/tools

check_machine() {
  local missing=() tool
  for tool in git make cc cargo rustc node npm; do
    has "$tool" || missing+=("$tool")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    die "not found: ${missing[*]}" \
      'git, make, cc: your system'\''s packages (Debian: apt-get install git build-essential; macOS: xcode-select --install)' \
      'cargo, rustc:  https://rustup.rs, or on Debian 12: apt-get install rustc-web cargo-web rust-web-clippy rustfmt-web' \
      'node, npm:     https://nodejs.org, version 20 or newer'
  fi
  local node_major
  node_major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$node_major" -ge 20 ] || die "node is $(node --version); version 20 or newer is needed (https://nodejs.org)"
}

# wrangler would read either of them in place of wrangler.toml, and say nothing.
check_configuration() {
  local file
  for file in wrangler.json wrangler.jsonc; do
    [ ! -e $file ] || die "$file lies beside wrangler.toml, and wrangler would read only $file" \
      'move what it configures into wrangler.toml, and remove it'
  done
}

# A copy of the lock file inside node_modules says what was installed: it goes when node_modules goes.
install_npm_packages() {
  local installed=node_modules/.postern-lock.json
  if cmp -s package-lock.json "$installed"; then return; fi
  say 'installing wrangler, esbuild and wasm-opt (npm ci)'
  quietly .build/npm.log npm ci || die 'npm ci failed'
  cp package-lock.json "$installed"
}

# installed_tool NAME VERSION
installed_tool() {
  local words
  words=$("$tools/bin/$1" --version 2>/dev/null) && [ "${words##* }" = "$2" ]
}

# install_tool CRATE PROGRAM VERSION
install_tool() {
  if installed_tool "$2" "$3"; then return; fi
  say "compiling $1 $3 into the cache: once per machine, some minutes"
  quietly "$tools/$1.log" cargo install --locked --root "$tools" "$1@$3" ||
    die "$1 $3 could not be installed" "it needs a reachable package registry and a C compiler; try again with: make build"
}

# worker-build downloads wasm-bindgen itself where its release server can be reached, which saves compiling it.
release_server_answers() {
  node -e '
    const version = process.argv[1];
    const file = `${version}/wasm-bindgen-${version}-x86_64-unknown-linux-musl.tar.gz`;
    fetch(`https://github.com/wasm-bindgen/wasm-bindgen/releases/download/${file}`, { signal: AbortSignal.timeout(4000) })
      .then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1));' "$1"
}

# Has worker-build downloaded it already? (It keeps it in the cache folder of the system's kind.)
downloaded() {
  compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/worker-build/wasm-bindgen-*-$1/wasm-bindgen" >/dev/null ||
    compgen -G "$HOME/Library/Caches/worker-build/wasm-bindgen-*-$1/wasm-bindgen" >/dev/null
}

# Sets wasm_bindgen: the program's path, or nothing where worker-build is to fetch it.
find_wasm_bindgen() {
  local version
  version=$(locked_version wasm-bindgen)
  wasm_bindgen=$tools/bin/wasm-bindgen
  if installed_tool wasm-bindgen "$version"; then return; fi
  if downloaded "$version" || release_server_answers "$version"; then
    wasm_bindgen=
    return
  fi
  install_tool wasm-bindgen-cli wasm-bindgen "$version"
}

write_env() {
  {
    printf '# Written by scripts/setup.sh. Where the tools of this machine are.\n'
    printf 'wasm_toolchain=%q\n' "$wasm_toolchain"
    printf 'wasm_compiler=%q\n' "$wasm_compiler"
    printf 'export PATH=%q:$PATH\n' "$tools/bin"
    if [ -n "$node_bin" ]; then printf 'export PATH=%q:$PATH\n' "$node_bin"; fi
    printf 'export WASM_OPT_BIN=%q ESBUILD_BIN=%q\n' "$PWD/node_modules/.bin/wasm-opt" "$PWD/node_modules/.bin/esbuild"
    if [ -n "$wasm_bindgen" ]; then printf 'export WASM_BINDGEN_BIN=%q\n' "$wasm_bindgen"; fi
  } >"$env_file.new"
  # An unchanged file keeps its time, which the build looks at.
  if cmp -s "$env_file.new" "$env_file"; then rm "$env_file.new"; else mv "$env_file.new" "$env_file"; fi
}

mkdir -p .build
[ -f Cargo.lock ] || die 'Cargo.lock is missing: it names the versions of the tools'
check_machine
check_configuration
install_npm_packages
find_node
find_wasm_target
install_tool worker-build worker-build "$(locked_version worker)"
find_wasm_bindgen
write_env
