#!/usr/bin/env bash
# Everything that is checked before a change is taken: form, lints, host tests, build, dry run, tests on workerd.
# Goes on after a failure, so that one run shows all of them; the last line has the counts.

. "$(dirname "$0")/lib/common.sh"
. scripts/lib/proxies.sh

broken=()
passed=0
failed=0

step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null || broken+=("$name")
}

# add_counts PASSED FAILED
add_counts() {
  passed=$((passed + $1))
  failed=$((failed + $2))
}

# `edge` is compiled for wasm only. A machine whose Worker is built by another toolchain than the active one has no lints for it.
lints() {
  cargo clippy --all-targets --quiet -- -D warnings || return
  if [ -n "$wasm_toolchain" ]; then
    echo 'src/edge is not linted: the active toolchain has no wasm32 target'
    return
  fi
  cargo clippy --lib --target wasm32-unknown-unknown --quiet -- -D warnings
}

host_tests() {
  local log=.build/host-tests.log status=0
  cargo test --no-fail-fast 2>&1 | tee "$log" || status=1
  # shellcheck disable=SC2046
  add_counts $(awk '/^test result:/ { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$log")
  if [ $passed = 0 ]; then
    echo 'no host test ran'
    return 1
  fi
  return $status
}

edge_tests() {
  local log=.build/edge-tests.tap files=(tests/edge/*.test.mjs) status=0 ran
  if [ ! -e "${files[0]}" ]; then
    echo 'no edge test ran: there is no tests/edge/*.test.mjs'
    return 1
  fi
  POSTERN_BUILT=1 node --test --test-timeout=600000 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$log" "${files[@]}" || status=1
  ran=$(awk '$1 == "#" && $2 == "pass" { passed = $3 } $1 == "#" && ($2 == "fail" || $2 == "cancelled") { failed += $3 }
    END { print passed + 0, failed + 0 }' "$log")
  # shellcheck disable=SC2086
  add_counts $ran
  if [ "$ran" = '0 0' ]; then
    echo 'no edge test ran'
    return 1
  fi
  return $status
}

dry_run() { POSTERN_BUILT=1 DRY=1 scripts/deploy.sh; }

# The Worker that is shipped, and the one that can be made to panic, which only a test of the recovery uses.
builds() { scripts/build.sh && scripts/build.sh probe; }

for tool in fmt clippy; do
  cargo $tool --version >/dev/null 2>&1 || die "cargo $tool is missing" \
    'with rustup: rustup component add rustfmt clippy' 'on Debian 12: apt-get install rustfmt-web rust-web-clippy'
done
scripts/setup.sh
load_env
find_proxies
step 'form (cargo fmt)' cargo fmt --check
step 'lints (cargo clippy)' lints
step 'host tests (cargo test)' host_tests
step 'build' builds
if [[ " ${broken[*]-} " != *' build '* ]]; then
  step 'dry run of the deployment' dry_run
  step 'tests on workerd (node --test)' edge_tests
fi

printf '\n'
for name in ${broken[@]+"${broken[@]}"}; do printf 'failed: %s\n' "$name"; done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ ${#broken[@]} -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
