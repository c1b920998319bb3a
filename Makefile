# `make help` lists what there is. Everything installs what it needs into .venv; nothing is started by hand.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
CATALOGUES := $(wildcard consentkit/ui/locales/*/LC_MESSAGES/*.po)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
EDITABLE := $(INSTALL) --no-deps --no-build-isolation --editable .

.PHONY: help demo bench test lint format docs lock clean install

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' Makefile | while IFS= read -r line; do \
	    printf '  make %-8s %s\n' "$${line%%:*}" "$${line##*## }"; done

demo: $(VENV)/.demo ## Serve the example magazine on http://localhost:8000 (PORT=8123: elsewhere)
	@exec $(BIN)/python -m examples.running_magazine --port $(PORT)

test: lint ## Run everything: lint, types, layers, and all tests with the coverage gate
	@tools/chromium $(BIN)/python >/dev/null
	@tools/typescript $(VENV)/typescript >/dev/null
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --cov --cov-report=term $(PYTEST) || $(ALONE)

bench: $(VENV)/.dev ## Measure what the library costs, against its budgets (ONLY=visits: a part of it)
	@$(BIN)/python -m tests.benchmarks $(addprefix --only ,$(ONLY))

lint: $(VENV)/.dev ## Check style, types and the layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# What failed beside others on a busy machine is run once more by itself; what fails then has failed.
ALONE = { echo 'Once more, by themselves:'; $(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none; }

format: $(VENV)/.dev ## Rewrite the sources in the house's format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

docs: $(VENV)/.dev ## Build the documentation into site/ (SERVE=1: and serve it on http://localhost:8001)
	@$(BIN)/python tools/tables.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve --dev-addr localhost:8001,build --strict)

install: $(VENV)/.dev ## Install the library, editable, with all that development needs

lock: $(VENV)/.dev ## Resolve the development dependencies anew (UPGRADE=1: to their newest versions)
	@$(BIN)/uv pip compile pyproject.toml --group dev $(EXTRAS) $(LOCK) -o requirements/dev.txt
	@$(BIN)/uv pip compile pyproject.toml --group demo -c requirements/dev.txt $(LOCK) -o requirements/demo.txt

EXTRAS = --extra cli --extra fastapi --extra group --extra postgres
LOCK = --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
       --no-annotate $(if $(UPGRADE),--upgrade)

clean: ## Remove what was installed, built or measured
	rm -rf $(VENV) build dist site .artifacts .coverage .coverage.* .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache
	find consentkit examples tests -name __pycache__ -prune -exec rm -rf {} +
	find consentkit -name '*.mo' -delete

# Stamps: each names what its installation was made from, so that repeated calls cost nothing.

$(VENV)/.python:
	@tools/venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python requirements/demo.txt pyproject.toml hatch_build.py $(CATALOGUES)
	@echo "Installing into $(VENV) ..."
	@test -e $(VENV)/.dev || $(INSTALL) --require-hashes -r requirements/demo.txt
	@$(EDITABLE)
	@touch $@

$(VENV)/.dev: $(VENV)/.python requirements/dev.txt pyproject.toml hatch_build.py $(CATALOGUES)
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(EDITABLE)
	@touch $@
