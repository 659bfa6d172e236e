# Two commands do everything on a fresh machine: `make compare` and `make test`. Both set themselves up first.

.DEFAULT_GOAL := help
.PHONY: help setup compare test test-rest test-fast lint docs clean

# The first of these that is Python 3.11 or newer; or say which: make setup PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTS_READY := $(VENV)/.ready-for-tests

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*##/ { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with the locked versions and this package

compare: $(READY)  ## certify, time and compare every lane: make compare ARGS="--task wide --effort standard"
	@$(BIN)/python -m samestep compare $(ARGS)

# A process for each CPU, four at most, each with a run of neighboring files, so that none is left alone at the end. What
# judges times has the machine to itself. 5: none of the tests was asked for.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist worksteal
XML = $(if $(REPORTS),--junitxml=$(REPORTS)/$(1).xml)
# What is tried where the project itself is changed: its pages, its experiments, its report in a browser.
REST := tests/docs tests/validation tests/benchmarks/report/page/test_browser.py

test: $(TESTS_READY)  ## run the tests: make test ARGS="-k numpy"
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not alone" $(REST:%=--ignore=%) $(call XML,tests) $(ARGS) || [ $$? = 5 ]
	@$(BIN)/python -m pytest -m alone $(call XML,alone) $(ARGS) || [ $$? = 5 ]

test-rest: $(TESTS_READY)  ## the tests of pages, experiments and the report in a browser, for who changes the project
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(REST) $(call XML,rest) $(ARGS)

test-fast: $(TESTS_READY)  ## the tests that take no process, browser or compiler of their own: the inner loop
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" $(ARGS)

lint: $(TESTS_READY)  ## style, import contracts and types, as .ci/run checks them
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports --no-cache && $(BIN)/mypy

docs: $(READY)  ## write the generated parts of the pages again
	@$(BIN)/python -m docs.generate

clean:  ## remove what tools leave, and what interrupted runs have compiled; .venv and all results stay
	@rm -rf .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist results/local/*/relay/cache
	@find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Each runs again only when its lock or the package's own definition changed.
INSTALL = $(if $(PYTHON),$(PYTHON),$(error samestep needs Python 3.11 or newer: install it, or name one with PYTHON=...)) install.py --next "$(firstword $(MAKECMDGOALS))"

$(READY): requirements.lock pyproject.toml
	@$(INSTALL) && touch $@

$(TESTS_READY): requirements-tests.lock $(READY)
	@$(INSTALL) --tests && touch $@
