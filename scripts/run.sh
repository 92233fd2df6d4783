#!/usr/bin/env bash
# Runs a command with the Node and the npm programs of this checkout:
#   scripts/run.sh node --test tests/edge/recovery.test.mjs
#   scripts/run.sh wrangler tail

[ $# -gt 0 ] || { echo 'usage: scripts/run.sh COMMAND…' >&2; exit 2; }
asked_for_ci=${CI:-}
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"
load_env
# wrangler may ask a user in front of it, for example for a secret.
if [ -z "$asked_for_ci" ]; then unset CI; fi
PATH=$PWD/node_modules/.bin:$PATH exec "$@"
