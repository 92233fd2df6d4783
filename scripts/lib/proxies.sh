# For test-all.sh: sourced, never run. Finds nginx, caddy and haproxy, with which the tests run the
# examples, or fetches Debian's packages of them. Envoy, Traefik and a newer Caddy come from PyPI.
#
# Only the program of a package is copied into the cache. If it were installed, the system would
# start it now and at each boot, and installing needs root. tests/all/support/proxies.mjs looks in
# the same places.
# shellcheck shell=bash

proxies=$cache/proxies

# The machine's program, else ours. Debian's nginx is in a folder that most users' PATH lacks.
proxy_program() { PATH=$PATH:/usr/sbin:/usr/local/sbin:$proxies command -v "$1"; }

# Uses the machine's package lists, or fresh ones of our own if those are missing or older than the
# server's packages.
# download PACKAGE: puts its file into the current folder.
download() {
  local own=(-o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=)
  apt-get download "$1" && return
  mkdir -p lists/partial cache/archives/partial
  apt-get "${own[@]}" update && apt-get "${own[@]}" download "$1"
}

# take PROGRAM PACKAGE…: copies the program from the first package that has it.
take() {
  local program=$1 package
  shift
  for package in "$@"; do
    # shellcheck disable=SC2015 # whatever fails, the next package is tried
    download "$package" && dpkg-deb --extract "$package"_*.deb unpacked || continue
    mv unpacked/usr/*bin/"$program" "$proxies/" && return
  done
  return 1
}

# take_in_scratch PROGRAM PACKAGE…
take_in_scratch() {
  local scratch status=0
  mkdir -p "$proxies"
  scratch=$(mktemp -d "$proxies/scratch.XXXXXX")
  (cd "$scratch" && take "$@") || status=$?
  rm -r "$scratch"
  return $status
}

# find_proxy PROGRAM QUESTION PACKAGE…, where QUESTION is what the program answers if it runs
find_proxy() {
  local program=$1 question=$2
  shift 2
  if proxy_program "$program" >/dev/null; then return; fi
  if ! has apt-get || ! has dpkg-deb; then
    echo "$program is not installed, and there is no apt-get to fetch it with"
    return 1
  fi
  say "fetching $program from the packages of this system into the cache: once per machine"
  if ! quietly "$cache/$program.log" take_in_scratch "$program" "$@"; then
    echo "$program could not be fetched"
    return 1
  fi
  if ! "$proxies/$program" "$question" >"$cache/$program.log" 2>&1; then
    rm "$proxies/$program"
    echo "$program does not run here: $(tail -n 1 "$cache/$program.log")"
    return 1
  fi
}

# find_tree NAME PACKAGE…: unpacks whole packages into a folder of the cache, if they are not there
# yet. With libraries=missing, also unpacks the libraries that they need and this system lacks.
find_tree() {
  local name=$1
  shift
  if [ -d "$proxies/$name" ]; then return; fi
  if ! has apt-get || ! has dpkg-deb; then
    echo "$name is fetched with apt-get, which is missing"
    return 1
  fi
  say "fetching $name from the packages of this system into the cache: once per machine"
  if ! quietly "$cache/$name.log" take_tree "$@"; then
    echo "$name could not be fetched"
    return 1
  fi
}

# missing_libraries FILE: prints the libraries that the package in the file needs.
missing_libraries() {
  dpkg-deb --field "$1" Depends | tr ',' '\n' | sed -E 's/^ *([^ :|(]+).*/\1/' | grep '^lib' |
    while read -r package; do
      dpkg-query --show "$package" >/dev/null 2>&1 || echo "$package"
    done
}

# take_tree PACKAGE…: for find_tree, whose `name` it reads
take_tree() {
  local scratch status=0 package
  mkdir -p "$proxies"
  scratch=$(mktemp -d "$proxies/scratch.XXXXXX")
  (
    cd "$scratch" || exit
    while [ $# -gt 0 ]; do
      package=$1
      shift
      # shellcheck disable=SC2015 # whatever fails, nothing is taken
      download "$package" && dpkg-deb --extract "$package"_*.deb unpacked || exit
      # shellcheck disable=SC2046 # names of packages hold no space
      if [ "${libraries:-}" = missing ]; then set -- "$@" $(missing_libraries "$package"_*.deb); fi
    done
    mv unpacked "$proxies/$name"
  ) || status=$?
  rm -r "$scratch"
  return $status
}

# The machine's own, or one that runs from where it is unpacked, with its libraries.
find_haproxy() {
  if proxy_program haproxy >/dev/null; then return; fi
  libraries=missing find_tree haproxy haproxy
}

# httpd and Tomcat, each of which reads paths in its own way. They run from where they are unpacked.
find_servers() {
  if ! has java; then
    echo 'java is missing, which runs Tomcat (Debian: apt-get install default-jre-headless)'
    return 1
  fi
  find_tree httpd apache2-bin libapr1 libaprutil1 &&
    find_tree tomcat libtomcat10-java tomcat10-common libeclipse-jdt-core-java
}

# Some releases have nginx itself in nginx-core, and only a placeholder in nginx.
find_proxies() {
  if ! has openssl; then
    echo 'openssl is missing (Debian: apt-get install openssl)'
    return 1
  fi
  find_proxy nginx -v nginx nginx-core && find_proxy caddy version caddy && find_haproxy
}
