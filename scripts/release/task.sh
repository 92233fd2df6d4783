#!/usr/bin/env bash
# In a release, `npm run NAME -- VARIABLE=value …` does what `make NAME VARIABLE=value …` does in
# the sources.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

task=$1
shift
# Some desktops set USERNAME to their own user. Postern's user is named on the command line.
unset USERNAME
for argument in "$@"; do
  [[ $argument =~ ^[A-Z_]+= ]] ||
    die "not understood: $argument" \
      "a variable is written like this: npm run $task -- URL=https://…"
  export "${argument?}"
done
case $task in
  dev | deploy) exec "scripts/$task.sh" ;;
  smoke) exec node scripts/smoke.mjs ;;
  backup | restore) exec node scripts/backup.mjs "$task" ;;
esac
