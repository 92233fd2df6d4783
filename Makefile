# Each target does all of its own set-up on a fresh clone, and nothing twice. What takes more than a line is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help dev demo test test-all scale oracle bench backup restore build release publish deploy smoke clean model

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## Runs the Worker here; PORT=8787 STATE_DIR=.wrangler/state ADMIN_PASSWORD=… (at the first start only)
	@scripts/dev.sh

demo: ## Shows the main job from the outside, on a throw-away state, and checks each answer
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node scripts/demo.mjs

test: ## Runs form, lints, host tests, build, dry run and tests on workerd, with no more than the README asks for
	@scripts/test.sh

test-all: ## Runs what is slow or needs other programs, and fetches those: proxies, generated clients, the last release
	@scripts/test-all.sh

scale: ## Brings in a million grants, and shows what each kind of query reads, and what a record takes; GRANTS=1000000
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node tests/scale/main.mjs

oracle: ## Compares a million permission checks with the naive rules; CHECKS=1000000 SEED=20250123
	@CHECKS=$${CHECKS:-1000000} cargo test --test host oracle -- --nocapture

bench: ## Measures Postern beside what one would pick instead, and writes bench/RESULTS.md; ROUNDS=6 SECONDS=2 WARM=2 ONLY=hs256
	@scripts/bench.sh

model: ## Models what users wait for and what D1 is asked at 0.1 to 100,000 requests a second, and writes that into bench/RESULTS.md; SEED=1 ONLY=1000 STEPS=abcd
	@scripts/model.sh

# Some desktops set USERNAME to whoever is logged in there; a user of Postern is named on the command line.
ifneq ($(origin USERNAME),command line)
unexport USERNAME
endif

backup: ## Brings the whole state out into a file; FILE=postern.ndjson URL=http://localhost:8787 USERNAME=admin FORMAT=ndjson|csv SECRETS=sealed|left-out
	@node scripts/backup.mjs backup

restore: ## Brings the records of a file in, going on where it was; the password is PASSWORD in the environment, or on this machine that of .dev.vars
	@node scripts/backup.mjs restore

build: ## Builds the Worker into build/
	@scripts/build.sh

release: ## Packs the built Worker into dist/, so that it runs and deploys without Rust
	@scripts/build.sh
	@POSTERN_BUILT=1 scripts/run.sh node scripts/release.mjs

publish: release ## Publishes that as a release of the forge, by its program gh; TAG=v0.1.0 must be the version
	@scripts/publish.sh

deploy: ## Applies the migrations and deploys; DRY=1 only shows what would be uploaded
	@scripts/deploy.sh

smoke: ## Asks a deployment for what docs/design/promises.md says, and removes what it made for that; URL=http://localhost:8787 USERNAME=admin STALENESS_S=…, and PASSWORD in the environment as above
	@node scripts/smoke.mjs

clean: ## Removes what was built; local state, secrets and the cache of tools stay
	rm -rf build .build dist target
