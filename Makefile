# `make help` lists what there is. Everything installs what it needs into .venv; nothing is started by hand.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
CATALOGUES := $(wildcard consentkit/ui/locales/*/LC_MESSAGES/*.po)
BUILT_FROM := tools/install pyproject.toml hatch_build.py $(CATALOGUES)

.PHONY: help demo bench fuzz test soak lint format docs catalogues lock clean install fresh dist judge

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' Makefile | while IFS= read -r line; do \
	    printf '  make %-10s %s\n' "$${line%%:*}" "$${line##*## }"; done

demo: $(VENV)/.demo ## Serve the example magazine on http://localhost:8000 (PORT=8123: elsewhere)
	@exec $(BIN)/python -m examples.running_magazine --port $(PORT)

test: lint ## Run everything: lint, types, layers, and all tests with the coverage gate
	@tools/chromium $(BIN)/python >/dev/null
	@tools/typescript $(VENV)/typescript >/dev/null
	@tools/npm requirements/frontend $(VENV)/react
	@tools/pgbouncer $(BIN)/python >/dev/null
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term $(PYTEST) || $(ALONE)

judge: $(VENV)/.dev ## Judge the example's pages by programs of others: HTML, accessibility, Content-Security-Policy (ONLY=vnu: one)
	@tools/chromium $(BIN)/python >/dev/null
	@tools/typescript $(VENV)/typescript >/dev/null
	@tools/judges $(VENV)/judges
	@$(BIN)/python -m tests.judges $(VENV)/judges $(addprefix --only ,$(ONLY))

soak: $(VENV)/.dev ## Play the model of the order, races, outages, floods and kills for hours (EXAMPLES=1000000: longer)
	@EXAMPLES=$(or $(EXAMPLES),100000) $(BIN)/python -m pytest -q -n auto tests/manager/test_order_model.py $(PYTEST)
	@$(BIN)/python -m tests.soak

fuzz: $(VENV)/.fuzz ## Throw mutated input at the parsers for two minutes (SECONDS=600 ONLY=html: longer, at one of them)
	@$(BIN)/python -m tests.fuzz $(addprefix --seconds ,$(SECONDS)) $(addprefix --seed ,$(SEED)) $(addprefix --only ,$(ONLY))

bench: $(VENV)/.dev ## Measure what the library costs, against its budgets (ONLY=visits: a part of it)
	@$(BIN)/python -m tests.benchmarks $(addprefix --only ,$(ONLY))

lint: $(VENV)/.dev ## Check style, types and the layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# What failed next to other tests on a busy machine is run once more by itself; what fails then has failed.
ALONE = { echo 'Once more, by themselves:'; $(BIN)/python -m pytest -q --last-failed --last-failed-no-failures none; }

format: $(VENV)/.dev ## Rewrite the sources in the house's format
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

docs: $(VENV)/.dev ## Build the documentation into site/ (SERVE=1: and serve it on http://localhost:8001)
	@$(BIN)/python tools/tables.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve --dev-addr localhost:8001,build --strict)

catalogues: $(VENV)/.dev ## Extract the messages for visitors and update the catalogue of every language
	@$(BIN)/python tools/catalogues.py $(addprefix --take ,$(TAKE))

install: $(VENV)/.dev ## Install the library, editable, with all that development needs

dist: $(VENV)/.dev ## Build sdist, wheel and bill of materials into dist/, the same bytes each time
	@rm -rf dist
	@$(BIN)/python -m tools.dist dist

fresh: ## Prove that the committed locks install on a machine that has nothing yet, by the oldest Python there is
	@tools/fresh

lock: $(VENV)/.dev ## Resolve the dependencies again and list what changed (UPGRADE=1: to their newest versions)
	@rm -rf .artifacts/locked && mkdir -p .artifacts && cp -R requirements .artifacts/locked
	@$(COMPILE) --group dev --all-extras --no-annotate -o requirements/dev.txt
	@$(COMPILE) --group demo --no-annotate -c requirements/dev.txt -o requirements/demo.txt
	@$(COMPILE) --all-extras --annotation-style split -c requirements/dev.txt -o requirements/runtime.txt
	@$(LOCK) --group fuzz --no-annotate -o requirements/fuzz.txt
	@$(LOCK) --group installer --no-annotate -c requirements/dev.txt -o requirements/uv.txt
	@$(BIN)/python -m tools.locks changes .artifacts/locked requirements

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url $(if $(UPGRADE),--upgrade)
COMPILE = $(LOCK) pyproject.toml

clean: ## Remove what was installed, built or measured
	rm -rf $(VENV) build dist site .artifacts .coverage .coverage.* .hypothesis .import_linter_cache \
	    .mypy_cache .pytest_cache .ruff_cache
	find consentkit examples tests -name __pycache__ -prune -exec rm -rf {} +
	find consentkit -name '*.mo' -delete

# Stamps: each names what its installation was made from, so that repeated calls cost nothing.

$(VENV)/.python:
	@tools/venv $(VENV) $(PYTHON)
	@touch $@

$(VENV)/.demo: $(VENV)/.python requirements/uv.txt requirements/demo.txt $(BUILT_FROM)
	@echo "Installing into $(VENV) ..."
	@if test -e $(VENV)/.dev; then tools/install $(VENV); else tools/install $(VENV) requirements/demo.txt; fi
	@touch $@

$(VENV)/.dev: $(VENV)/.python requirements/uv.txt requirements/dev.txt $(BUILT_FROM)
	@echo "Installing into $(VENV) ..."
	@tools/install $(VENV) requirements/dev.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev requirements/fuzz.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps --no-build -r requirements/fuzz.txt
	@touch $@
