# One verb a target. `make demo` and `make test` build what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check format bench clean

.venv/.run: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade-strategy only-if-needed -e '.[train]'
	touch $@

.venv/.dev: .venv/.run
	$(BIN)/pip install --quiet -e '.[train,webshop,scienceworld,dev]'
	touch $@

demo: .venv/.run        ## The whole pipeline on Game of 24, in minutes
	$(BIN)/armap demo

test: .venv/.dev        ## Every test that can run here
	$(BIN)/pytest -m 'not net and not gpu'

check: .venv/.dev       ## Format, lint, types, import contracts, quick tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

format: .venv/.dev      ## Rewrite files in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.run       ## The published Game of 24 table
	benchmarks/game24.sh

clean:
	rm -rf .venv runs
