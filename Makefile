# The verbs of the project. A fresh machine needs only `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SHOP ?= demo-shop
# Tests run in two processes; libraries that start a thread a core would only get in each other's way.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1

.PHONY: demo test check soak bench docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "danggol needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing danggol into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing the tools for tests and checks ..."
	@$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@$(PIP) -e '.[bench]'
	@touch $@

demo: $(VENV)/.installed
	@$(BIN)/danggol demo $(SHOP) --replace

test: $(VENV)/.installed-dev
	@$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell src tests benchmarks examples docs README.md CHANGELOG.md CONTRIBUTING.md

soak: $(VENV)/.installed-dev
	@$(ONE_THREAD) $(BIN)/python -m pytest -m soak -s
	@for i in 1 2 3; do $(ONE_THREAD) HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -m hypothesis -n 2 || exit 1; done

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/report.py

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

clean:
	rm -rf $(VENV) demo-shop docs/_build dist build .mypy_cache .ruff_cache .hypothesis
