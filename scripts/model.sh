#!/usr/bin/env bash
# Runs the model of where Postern runs, bench/edge-model/, and writes its section of
# bench/RESULTS.md. SEED, ONLY (a rate) and STEPS (of abcd) are taken; with the last two it prints
# the section and writes nothing.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Optimised, as the dependencies of the tests are already, which are not compiled once more.
CARGO_PROFILE_DEV_OPT_LEVEL=2 exec cargo run --quiet --example edge-model
