# `make demo` and `make test` are all a newcomer needs: both make .venv and install what is missing into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out

.PHONY: demo test lint types contract pytest notebooks docs packages bench clean
.DEFAULT_GOAL := demo

# package only
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
	touch $@

# package and everything that checks it
$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[test]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/nnft demo --out $(OUT)

# checks side by side, each with its output in one piece; the tests fill all cores themselves. Installed one after the
# other before that: two runs of pip must not change the same environment at once.
test:
	@$(MAKE) --no-print-directory $(VENV)/.installed-test
	@$(MAKE) --no-print-directory $(VENV)/.installed-docs
	@$(MAKE) --no-print-directory -j4 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) lint types contract docs
	@$(MAKE) --no-print-directory pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

contract: $(VENV)/.installed-test
	$(BIN)/lint-imports

# tests, doctests and the notebooks, one process a core; tests of one file stay together and share what they set up, and
# files come in the order of tests/conftest.py, longest first.
# Processes fill the cores, so BLAS gets one thread in each: with more they wait for one another.
pytest: $(VENV)/.installed-test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --nbmake notebooks tests diagrams numerics

notebooks: $(VENV)/.installed-test
	$(BIN)/python -m pytest --nbmake --overwrite notebooks

# the site: docs/_build/html/index.html
docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[docs]"
	touch $@

# wheel and sdist in clean environments, on every Python found; "make packages WITH=notebooks" runs the notebooks too
packages:
	.ci/packages $(WITH)

bench: $(VENV)/.installed-test
	$(BIN)/python benchmarks/run.py --out benchmarks/results

clean:
	rm -rf $(VENV) $(OUT) build docs/_build docs/_generated docs/notebooks docs/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
