#!/usr/bin/env bash
# Runs the Worker on this machine. Takes PORT (8787), STATE_DIR (.wrangler/state), and
# ADMIN_PASSWORD if .dev.vars does not exist yet.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

port=${PORT:-8787}
state=${STATE_DIR:-.wrangler/state}

case $port in '' | *[!0-9]*) die "PORT is not a number: $port" ;; esac

# Checked first and reported in one line, because workerd reports it late and with a stack trace.
node -e '
  const server = require("node:net").createServer();
  server.on("error", () => process.exit(1));
  server.listen(+process.argv[1], "127.0.0.1", () => server.close());' "$port" ||
  die "port $port is taken" "choose another: make dev PORT=$((port + 1))"

random_base64() {
  node -p 'require("node:crypto").randomBytes(+process.argv[1]).toString(process.argv[2])' "$@"
}

# Writes random secrets for development into a file that only its owner can read and git ignores.
write_secrets() {
  if [ -f .dev.vars ]; then
    [ -z "${ADMIN_PASSWORD:-}" ] || say 'ADMIN_PASSWORD is not used: .dev.vars has one already'
    return
  fi
  local password=${ADMIN_PASSWORD:-$(random_base64 18 base64url)}
  case $password in
    *"'"* | *$'\n'*) die "ADMIN_PASSWORD may hold neither ' nor a line break" ;;
  esac
  say 'writing fresh secrets to .dev.vars'
  (
    umask 077
    printf "MASTER_KEY='%s'\nADMIN_PASSWORD='%s'\n" "$(random_base64 32 base64)" "$password" \
      >.dev.vars.new
  )
  mv .dev.vars.new .dev.vars
}

scripts/build.sh
load_env
export POSTERN_BUILT=
write_secrets

mkdir -p "$state"
state=$(cd "$state" && pwd)
say "applying migrations to the local database in $state"
wrangler d1 migrations apply DB --local --persist-to "$state" </dev/null \
  >.build/migrations.log 2>&1 || {
  cat .build/migrations.log >&2
  die 'the migrations could not be applied'
}

# Ends when the Worker answers, or when this process has ended.
node scripts/lib/announce.mjs "$port" $$ &
# --test-scheduled: with assets, this wrangler can call the Worker's scheduled event in no other
# way.
exec node node_modules/wrangler/bin/wrangler.js dev --port "$port" --persist-to "$state" \
  --test-scheduled
