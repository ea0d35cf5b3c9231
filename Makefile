# What a contributor runs, and what CI runs. PYTHON is the interpreter of the environment that has
# the package installed with its `dev` extra: pip install -e '.[dev]'.
PYTHON ?= $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
BIN = $(dir $(shell $(PYTHON) -c 'import sys; print(sys.executable)'))

# Each of the thousands of processes that the tests start would compile the program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check lint test test-fast fix docs mutants hunt bench guard bench-preview

check: lint test

lint:
	$(BIN)ruff format --check .
	$(BIN)ruff check .
	$(BIN)mypy
	$(BIN)mypy --platform darwin
	$(BIN)mypy --platform win32
	$(BIN)lint-imports
	$(PYTHON) tools/generate.py --check

test:
	$(BIN)pytest -n auto --cov --cov-report=term

# What one runs at each change. The slowest are named, so that they come to be marked.
test-fast:
	$(BIN)pytest -n auto -q --ignore=tests/faults -m "not fault and not terminal and not slow" --durations=5

fix:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

docs:
	$(PYTHON) tools/generate.py

mutants:
	$(PYTHON) tools/mutants.py

# HUNT="--runs 50 --seed 7" makes other runs than a thousand of some random number.
hunt:
	$(PYTHON) -m tests.faults.hunt $(HUNT)

# Ratios, each pair run in turn; instructions are counted where valgrind is. BENCH=--quick is short.
bench:
	$(PYTHON) -m tools.bench.speed $(BENCH)
	$(PYTHON) -m tools.bench.history

guard:
	$(PYTHON) -m tools.bench.guard

# chafa is measured beside the previews where the Debian packages chafa and fonts-dejavu-core are.
bench-preview:
	$(PYTHON) -m tools.bench.preview
