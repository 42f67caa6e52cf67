# make review: install once, then review the last change of the repository you stand in.
# make test:   install once, then run every check of this project.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The recipes name no absolute path, so a checkout below a folder with blanks works too.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Which change: REPO is a folder, BASE and HEAD are revisions, ARGS are further options.
export REPO ?= .
export BASE ?=
export HEAD ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help review test lint types lock clean

help:
	@echo "make review   review the last change (REPO=DIR BASE=REV HEAD=REV ARGS='--format json')"
	@echo "make test     run the checks and the tests"

review: $(VENV)/.run
	@$(BIN)/python -I -m reviewbot review --repo "$$REPO" $${BASE:+--base "$$BASE"} $${HEAD:+--head "$$HEAD"} $(ARGS)

test: lint types contract
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term

# Builds the image and runs its entrypoint as a runner would. Needs podman, runc, debootstrap and root.
.PHONY: test-container
test-container: $(VENV)/.dev contract
	@$(BIN)/python -m pytest -m container tests/container

# The property tests with new random examples, many of them.
.PHONY: fuzz
fuzz: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 -q --hypothesis-profile=fuzz -m "hypothesis and not container"

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

# Other people's schemas and validators; the tests that need them skip where there is no Node.
.PHONY: contract
contract:
	@if command -v npm >/dev/null 2>&1; then $(MAKE) --no-print-directory tests/contract/node_modules/.done; \
	else echo "npm is not installed: the contract tests will be skipped"; fi

tests/contract/node_modules/.done: tests/contract/package-lock.json
	@cd tests/contract && npm ci --silent --no-fund --no-audit && touch node_modules/.done \
	|| echo "npm could not install the contract tests' packages: they will be skipped"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "reviewbot needs Python 3.11 or later with venv; name one with PYTHON=python3.12"; exit 1; }
	@echo "Installing reviewbot and its analyzers into .venv (once) ..."
	@$(PYTHON) -m venv $(VENV) && touch $@

$(VENV)/.run: $(VENV)/.made requirements/run.txt pyproject.toml
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# After a change of the dependencies in pyproject.toml. Needs uv.
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra otel \
	  pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra dev --extra otel \
	  -c requirements/run.txt pyproject.toml requirements/build.in -o requirements/dev.txt

clean:
	rm -rf .venv .cache .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache tests/contract/node_modules
