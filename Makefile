# make demo | test | check | bench | clean. Each sets up its own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: setup setup-demo demo test test-all check bench clean

$(BIN)/twinset: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(BIN)/twinset
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup-demo: $(BIN)/twinset
setup: $(VENV)/.dev

demo: setup-demo
	$(BIN)/twinset demo demo --overwrite

test: setup
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

test-all: setup
	$(BIN)/python -m pytest -n $(JOBS)

check: setup
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m bench.speed --quick
	$(BIN)/python -m bench.quality --quick

clean:
	rm -rf $(VENV) build dist demo src/*.egg-info
