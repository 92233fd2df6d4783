# Each target does all of its own set-up on a fresh clone, and nothing twice. What takes more than a line is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help dev demo test build deploy clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## Runs the Worker here; PORT=8787 STATE_DIR=.wrangler/state ADMIN_PASSWORD=… (at the first start only)
	@scripts/dev.sh

demo: ## Shows the main job from the outside, on a throw-away state, and checks each answer
	@scripts/build.sh
	@POSTERN_BUILT=1 node scripts/demo.mjs

test: ## Runs everything: form, lints, host tests, build, dry run, tests on workerd
	@scripts/test.sh

build: ## Builds the Worker into build/
	@scripts/build.sh

deploy: ## Applies the migrations and deploys; DRY=1 only shows what would be uploaded
	@scripts/deploy.sh

clean: ## Removes what was built; local state, secrets and the cache of tools stay
	rm -rf build .build target
