# For setup.sh: sourced, never run. Finds a compiler with a standard library for
# wasm32-unknown-unknown, or makes one.
#
# find_wasm_target sets
#   wasm_toolchain the rustup toolchain that builds the Worker; empty: the active `cargo`
#   wasm_compiler the version of its compiler, by which the next run sees that nothing has changed
# shellcheck shell=bash

target=wasm32-unknown-unknown
linked_toolchain=postern-wasm

# Runs a command with a rustup toolchain, or with the active one if the name is empty.
# under TOOLCHAIN COMMAND…
under() {
  local toolchain=$1
  shift
  if [ -n "$toolchain" ]; then RUSTUP_TOOLCHAIN=$toolchain "$@"; else "$@"; fi
}

# Tests a toolchain by linking a small wasm library with link-time optimisation, as the release
# build does.
# compiles_wasm COMMAND…, where COMMAND is a compiler
compiles_wasm() {
  local trial=$cache/trial.$$ ok=1
  mkdir -p "$trial"
  {
    echo 'use std::fmt::Write;'
    echo '#[unsafe(no_mangle)]'
    echo 'pub extern "C" fn trial(n: u32) -> usize {'
    echo 'let mut s = String::new(); let _ = write!(s, "{n}"); s.len() }'
  } >"$trial/lib.rs"
  "$@" --edition 2024 --crate-type cdylib --target $target -C lto=fat -C opt-level=1 \
    -o "$trial/trial.wasm" "$trial/lib.rs" >"$cache/trial.log" 2>&1 || ok=0
  rm -r "$trial"
  [ $ok = 1 ]
}

compiler_of() { under "$1" rustc -vV 2>/dev/null | tr '\n' ' '; }

# accept TOOLCHAIN: uses it if it works.
accept() {
  wasm_toolchain=$1
  wasm_compiler=$(compiler_of "$1")
  compiles_wasm under "$1" rustc
}

# Uses what the last run found, if the compiler and its library are still the same.
unchanged() {
  [ -f "$env_file" ] || return 1
  # shellcheck disable=SC1090
  wasm_toolchain=$(. "$env_file" && printf %s "${wasm_toolchain-}")
  # shellcheck disable=SC1090
  wasm_compiler=$(. "$env_file" && printf %s "${wasm_compiler-}")
  [ -n "$wasm_compiler" ] && [ "$(compiler_of "$wasm_toolchain")" = "$wasm_compiler" ] || return
  local libdir
  libdir=$(under "$wasm_toolchain" rustc --print target-libdir --target $target)
  compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

# version_at_least RUSTC MINIMUM
version_at_least() {
  local version major minor
  version=$("$1" --version 2>/dev/null) || return 1
  IFS='. ' read -r _ major minor _ <<<"$version"
  [ "$major" -gt 1 ] || [ "$minor" -ge "${2#1.}" ]
}

minimum_rust() { sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

may_be_root() { [ "$(id -u)" = 0 ] || { has sudo && sudo -n true 2>/dev/null; }; }

is_debian_12() {
  grep -qs '^ID=debian$' /etc/os-release && grep -qs '^VERSION_ID="12"$' /etc/os-release
}

# Installs rustup's own library for the target.
add_with_rustup() {
  has rustup || return 1
  say "adding the target $target (rustup, at most 3 minutes)"
  RUSTUP_MAX_RETRIES=1 bounded 180 rustup target add $target >"$cache/rustup.log" 2>&1 </dev/null &&
    return
  say '  rustup could not: its server is out of reach, or the toolchain is not one of its own'
  return 1
}

# Debian packages a compiler that is new enough, a linker, and the library's source, but not the
# library for wasm32. Compiles that library, and puts it where Debian's compiler looks for it.
make_with_debian() {
  local work=$cache/wasm32-std log=$cache/wasm32-std.log libdir host_bin
  local packages=(rustc-web cargo-web rust-web-src lld-22)
  if ! dpkg-query -W "${packages[@]}" >/dev/null 2>&1 ||
    ! version_at_least /usr/bin/rustc "$(minimum_rust)"; then
    say 'installing Debian'\''s Rust with its library source, and lld (apt-get)'
    # The machine's lists may be older than the packages that the server still has.
    quietly "$cache/apt.log" as_root apt-get update ||
      say '  apt-get update failed; going on with the lists there are'
    # --no-remove keeps a user's own rustc package.
    quietly "$cache/apt.log" as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-remove --no-install-recommends "${packages[@]}" || return 1
  fi

  # The library may exist already, if rustup has lost its link to it, or for another user.
  if compiles_wasm /usr/bin/rustc; then return; fi

  say "compiling the standard library for $target (under a minute)"
  rm -rf "$work"
  mkdir -p "$work/src"
  printf '%s\n' '[package]' 'name = "empty"' 'version = "0.0.0"' 'edition = "2024"' \
    '[workspace]' >"$work/Cargo.toml"
  printf '#![no_std]\n' >"$work/src/lib.rs"
  # Link-time optimisation reads the embedded bitcode. Without it, `lto = true` fails much later.
  (
    cd "$work"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes
    export CARGO_TARGET_DIR=$work/target
    quietly "$log" /usr/bin/cargo build --release -Zbuild-std=std,panic_abort --target $target
  ) || return 1
  rm -f "$work/target/$target/release/deps/"libempty-*.rlib

  libdir=$(/usr/bin/rustc --print target-libdir --target $target)
  host_bin=$(dirname "$(/usr/bin/rustc --print target-libdir)")/bin
  say "putting it into $libdir"
  # Libraries of an older compiler would count as duplicates.
  as_root rm -rf "$libdir"
  as_root mkdir -p "$libdir" "$host_bin"
  as_root cp "$work/target/$target/release/deps/"*.rlib "$libdir/"
  [ -e "$host_bin/rust-lld" ] || as_root ln -s /usr/lib/llvm-22/bin/lld "$host_bin/rust-lld"
  rm -r "$work"
}

link_debian() {
  if ! has rustup; then return; fi
  say "telling rustup of Debian's Rust as the toolchain $linked_toolchain"
  rustup toolchain link $linked_toolchain /usr >"$cache/rustup.log" 2>&1
}

# The toolchain that runs Debian's compiler: rustup's link to it, or none if there is no rustup.
debian_toolchain() {
  if ! has rustup; then return; fi
  printf %s $linked_toolchain
}

has_linked_toolchain() {
  has rustup && rustup toolchain list 2>/dev/null | grep -q "^$linked_toolchain\b"
}

# Cloudflare's build machine (Workers Builds) has a C compiler, make and curl, but no Rust.
bring_rust() {
  say 'bringing Rust to this machine of Workers Builds (rustup)'
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y --quiet --no-modify-path --profile minimal --target $target ||
    die 'rustup could not be installed'
}

find_wasm_target() {
  mkdir -p "$cache"
  if unchanged; then return; fi

  local rust_is_new_enough=1
  version_at_least rustc "$(minimum_rust)" || rust_is_new_enough=0

  if [ $rust_is_new_enough = 1 ] && accept ''; then return; fi
  # Tried before rustup, which can take minutes if its server is out of reach.
  if has_linked_toolchain && accept $linked_toolchain; then return; fi
  if [ $rust_is_new_enough = 1 ] && add_with_rustup && accept ''; then return; fi

  if is_debian_12 && may_be_root; then
    make_with_debian && link_debian && accept "$(debian_toolchain)" && return
    die "no standard library for $target could be made from Debian's packages" \
      "the logs are $cache/apt.log, $cache/wasm32-std.log, $cache/rustup.log and $cache/trial.log"
  fi
  local have need
  have=$(rustc --version || :)
  need=$(minimum_rust)
  die "no Rust compiler here has the target $target ($have; $need or newer is needed)" \
    'with rustup:             rustup update stable && rustup target add wasm32-unknown-unknown' \
    'on Debian 12 as root, or with sudo that asks for no password:' \
    '                         run this again, it makes the target from Debian'\''s packages' \
    "the compiler's own words: $cache/trial.log"
}
