# Two commands do everything on a fresh machine: `make compare` and `make test`. Both set themselves up first.

.DEFAULT_GOAL := help
.PHONY: help setup compare test test-fast lint docs clean

# The first of these that is Python 3.11 or newer; or say which: make setup PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with the locked versions and this package

compare: $(READY)  ## certify, time and compare every lane: make compare ARGS="--task wide --effort standard"
	@$(BIN)/python -m samestep compare $(ARGS)

# A process for each CPU, four at most; what judges times has the machine to itself. 5: none of the tests was asked for.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile
XML = $(if $(REPORTS),--junitxml=$(REPORTS)/$(1).xml)

test: $(READY)  ## run the tests: make test ARGS="-k numpy"
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not alone" $(call XML,tests) $(ARGS) || [ $$? = 5 ]
	@$(BIN)/python -m pytest -m alone $(call XML,alone) $(ARGS) || [ $$? = 5 ]

test-fast: $(READY)  ## the tests that take no process, browser or compiler of their own: the inner loop
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" $(ARGS)

lint: $(READY)  ## style, import contracts and types, as .ci/run checks them
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports --no-cache && $(BIN)/mypy

docs: $(READY)  ## write the generated parts of the pages again
	@$(BIN)/python -m docs.generate

clean:  ## remove what tools leave, and what interrupted runs have compiled; .venv and all results stay
	@rm -rf .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist results/local/*/relay/cache
	@find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Runs again only when the lock or the package's own definition changed.
$(READY): requirements.lock pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "samestep needs Python 3.11 or newer: install it, or name one with make setup PYTHON=..."; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version): 2 GB (on Linux with PyPI's torch, which brings CUDA, more)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing the locked versions of requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@echo "installing samestep itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)
	@echo "ready"
