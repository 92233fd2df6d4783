# For test.sh and test-all.sh: sourced, never run. Runs steps, continues after a failure, and
# counts.
# shellcheck shell=bash

broken=()
passed=0
failed=0

# step NAME COMMAND…
step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" </dev/null || broken+=("$name")
}

is_broken() {
  local name
  for name in ${broken[@]+"${broken[@]}"}; do
    [ "$name" = "$1" ] && return
  done
  return 1
}

# add_counts PASSED FAILED
add_counts() {
  passed=$((passed + $1))
  failed=$((failed + $2))
}

# Runs files of node:test, at_once of them at the same time. With skips=refused, a skipped test is a
# failure.
# node_tests NAME FILE…, where NAME is that of the log
node_tests() {
  local log=.build/$1.tap status=0 ran
  shift
  if [ ! -e "${1:-}" ]; then
    echo 'there is no file of tests'
    return 1
  fi
  POSTERN_BUILT=1 node --test --test-timeout=900000 --test-concurrency="${at_once:-1}" \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$log" "$@" || status=1
  ran=$(awk '$1 == "#" && $2 == "pass" { passed = $3 }
    $1 == "#" && ($2 == "fail" || $2 == "cancelled") { failed += $3 }
    END { print passed + 0, failed + 0 }' "$log")
  # shellcheck disable=SC2086 # two numbers
  add_counts $ran
  if [ "$ran" = '0 0' ]; then
    echo 'no test ran'
    return 1
  fi
  if [ "${skips:-}" = refused ] && grep -E '^ *(not )?ok .* # (SKIP|TODO)' "$log"; then
    echo 'nothing may be skipped here'
    return 1
  fi
  return $status
}

# Prints what failed and, alone on the last line, the counts, which .ci/run adds up for both
# targets.
# finish NAME
finish() {
  local name
  printf '\n'
  for name in ${broken[@]+"${broken[@]}"}; do printf 'failed: %s\n' "$name"; done
  printf '%d %d\n' "$passed" "$failed" >".build/$1.counts"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ ${#broken[@]} -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
