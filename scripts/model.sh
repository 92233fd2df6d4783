#!/usr/bin/env bash
# Runs the model of where Postern runs, bench/edge-model/, and writes its section of
# bench/RESULTS.md. Takes SEED, ONLY (a rate) and STEPS (of abcd). With ONLY or STEPS, it prints the
# section and writes nothing.

# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

# Optimised like the tests' dependencies, so that these are not compiled again.
CARGO_PROFILE_DEV_OPT_LEVEL=2 exec cargo run --quiet --example edge-model
