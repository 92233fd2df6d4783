# Each target does its own set-up on a fresh clone, and nothing twice. Whatever needs more than a line
# is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-all scale oracle bench backup restore build release publish deploy smoke clean model

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## Runs the Worker locally; PORT=8787 STATE_DIR=.wrangler/state ADMIN_PASSWORD=… (first start only)
	@scripts/dev.sh

demo: ## Shows Postern's main features over HTTP on a temporary state, and checks each answer
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node scripts/demo.mjs

test: ## Checks format and lints, runs host tests, build, dry run and tests on workerd; needs only what the README lists
	@scripts/test.sh

test-all: ## Runs the slow tests, and those with other programs, which it downloads: proxies, generated clients, the last release
	@scripts/test-all.sh

scale: ## Imports a million grants, and prints the rows that each query reads and the size of a record; GRANTS=1000000
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node tests/scale/main.mjs

oracle: ## Compares a million permission checks with a naive implementation; CHECKS=1000000 SEED=20250123
	@CHECKS=$${CHECKS:-1000000} cargo test --test host oracle -- --nocapture

bench: ## Measures Postern and its alternatives, and writes bench/RESULTS.md; ROUNDS=6 SECONDS=2 WARM=2 ONLY=hs256
	@scripts/bench.sh

model: ## Models latency and D1 queries at 0.1 to 100,000 requests a second, into bench/RESULTS.md; SEED=1 ONLY=1000 STEPS=abcd
	@scripts/model.sh

# Some desktops set USERNAME to the desktop's user. So only a USERNAME on the command line is taken as
# a user of Postern.
ifneq ($(origin USERNAME),command line)
unexport USERNAME
endif

backup: ## Exports the whole state into a file; FILE=postern.ndjson URL=http://localhost:8787 USERNAME=admin FORMAT=ndjson|csv SECRETS=sealed|left-out
	@node scripts/backup.mjs backup

restore: ## Imports a file's records, continuing an interrupted import; PASSWORD in the environment, or locally from .dev.vars
	@node scripts/backup.mjs restore

build: ## Builds the Worker into build/
	@scripts/build.sh

release: ## Packs the built Worker into dist/, which runs and deploys without Rust
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node scripts/release.mjs

publish: release ## Publishes dist/ as a GitHub release, by the program gh; TAG=v0.1.0 must match the version
	@scripts/publish.sh

deploy: ## Applies the migrations and deploys; DRY=1 only shows what would be uploaded
	@scripts/deploy.sh

smoke: ## Checks a deployment against docs/design/promises.md, and removes its test records; URL=http://localhost:8787 USERNAME=admin STALENESS_S=… PASSWORD as for restore
	@node scripts/smoke.mjs

clean: ## Removes what was built; keeps local state, secrets and cached tools
	rm -rf build .build dist target
