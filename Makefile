# The words of this project; CI uses the same. Paths are relative on purpose: the checkout may stand in a folder with a space.
PYTHON ?= python3
BIN := .venv/bin

# Each of our processes starts anew, and without byte code every start costs seconds more.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test faults lint bench clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "Evergreen needs Python 3.11 to 3.13, found %d.%d: make PYTHON=/path/to/python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --no-compile --upgrade -c constraints.txt torch
	$(BIN)/python -m pip install --no-compile -c constraints.txt -e '.[dev]'
	@# On all cores; pip uses one. Some packages bring templates that are no Python.
	$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
	touch $@

demo: install
	$(BIN)/python -m examples.demo $(if $(KEEP),--keep)

test: install
	$(BIN)/python -m pytest

# Trainings killed at random moments, 50 times, promotions 200 times and racing 50 times, and what needs two
# workers: about an hour.
faults: install
	$(BIN)/python -m pytest -m faults -rP tests/faults tests/pipelines/training

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	@for f in benchmarks/*.py; do $(BIN)/python "$$f" || exit 1; done

clean:
	rm -rf .venv .evergreen .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist
