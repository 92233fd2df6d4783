#!/usr/bin/env bash
# `make test`: format, lints, host tests, build, dry run, tests on workerd. It needs no more than
# README.md asks for. Continues after a failure, so that one run shows all of them. The last line
# has the counts.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/testing.sh
. scripts/lib/testing.sh

# `edge` is compiled for wasm only. If another toolchain than the active one builds the Worker,
# there are no lints for it.
lints() {
  cargo clippy --workspace --exclude build-helper --all-targets --quiet -- -D warnings || return
  cargo clippy --package build-helper --profile build-helper --quiet -- -D warnings || return
  if [ -n "$wasm_toolchain" ]; then
    echo 'src/edge is not linted: the active toolchain has no wasm32 target'
    return
  fi
  # In the release profile, so that the build afterwards has the macros already.
  cargo clippy --release --lib --target wasm32-unknown-unknown --quiet -- -D warnings
}

host_tests() {
  local log=.build/host-tests.log status=0
  cargo test --workspace --exclude build-helper --no-fail-fast 2>&1 | tee "$log" || status=1
  # shellcheck disable=SC2046
  add_counts $(awk '/^test result:/ { passed += $4; failed += $6 }
    END { print passed + 0, failed + 0 }' "$log")
  if [ $passed = 0 ]; then
    echo 'no host test ran'
    return 1
  fi
  return $status
}

# By default, node leaves one processor free, so on two processors it runs one file after the other.
edge_tests() {
  at_once=$(node -p 'os.availableParallelism()') node_tests edge-tests tests/edge/*.test.mjs
}

dry_run() { POSTERN_BUILT=1 DRY=1 scripts/deploy.sh; }

# The Worker that is deployed, and the one that can be made to panic, which only a test of the
# recovery uses.
builds() { scripts/build.sh && scripts/build.sh probe; }

for tool in fmt clippy; do
  cargo $tool --version >/dev/null 2>&1 || die "cargo $tool is missing" \
    'with rustup: rustup component add rustfmt clippy' \
    'on Debian 12: apt-get install rustfmt-web rust-web-clippy'
done
scripts/setup.sh
load_env
step 'form (cargo fmt)' cargo fmt --all --check
step 'form and lints of scripts and styles (biome)' node_modules/.bin/biome ci --error-on-warnings .
step 'lints (cargo clippy)' lints
step 'host tests (cargo test)' host_tests
step 'build' builds
if ! is_broken build; then
  step 'dry run of the deployment' dry_run
  step 'tests on workerd (node --test)' edge_tests
fi
finish test
