#!/usr/bin/env bash
# `make publish`: publishes what `make release` has packed as a release on GitHub. TAG is this
# commit's tag.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
archive=dist/postern-$version.tar.gz
[ "${TAG:-}" = "v$version" ] ||
  die "TAG is \"${TAG:-}\", and the version in Cargo.toml is $version" \
    "say: make publish TAG=v$version"
[ "$(git rev-parse "$TAG^{commit}" 2>/dev/null)" = "$(git rev-parse HEAD)" ] ||
  die "$TAG is not the tag of this commit"
[ -z "$(git status --porcelain)" ] || die 'there are changes that are not committed'
has gh || die 'not found: gh' 'it is the command line of GitHub: https://cli.github.com'
notes='The built Worker, which needs no Rust. Unpack it, and begin with its README.md.
CHANGELOG.md says what is new.'
gh release create "$TAG" "$archive" "$archive.sha256" --verify-tag \
  --title "Postern $version" --notes "$notes"
