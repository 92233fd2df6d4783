#!/usr/bin/env bash
# In a release, the Worker is built already. This checks that the programs that run it are here.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
. scripts/lib/node.sh

has node || die 'not found: node' 'install it: https://nodejs.org'
check_configuration
minimum=$(minimum_node)
node_is_new_enough node "$minimum" ||
  die "node is $(node --version); wrangler needs $minimum or newer (https://nodejs.org)"

# If a newer release was unpacked over this one, the installed wrangler is an older one.
node -e '
  const read = (path) => JSON.parse(require("node:fs").readFileSync(path));
  const wanted = read("package-lock.json").packages["node_modules/wrangler"].version;
  const { version } = read("node_modules/wrangler/package.json");
  process.exit(version === wanted ? 0 : 1);' 2>/dev/null ||
  die 'wrangler is not installed, or is that of another release' 'run: npm ci'

mkdir -p .build
: >"$env_file"
