# Works with GNU make 3.81 and newer. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
LOWEST := .venv-lowest
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WORKERS ?= 2
# lifelines requires an older pandas but gives the same results with ours, so it is installed without dependencies
ORACLES := lifelines autograd autograd-gamma formulaic interface-meta wrapt

.DEFAULT_GOAL := help
.PHONY: help demo test test-hard test-lowest test-spark lint format notebook dictionary catalog benchmark constraints clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.core  ## fetch, publish and draw a simulated company; no token
	@$(BIN)/wegly demo

test: $(VENV)/.test  ## run the tests; COVERAGE=1 measures what they cover, which takes half as long again
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(if $(COVERAGE),--cov --cov-report=term --cov-fail-under=95)

test-hard: $(VENV)/.test  ## fail, kill, damage and measure what is written; takes some seven minutes
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m hard tests

test-lowest: $(LOWEST)/.test  ## run the tests on the lowest versions that pyproject.toml declares
	@$(LOWEST)/bin/python -m pytest -n $(WORKERS) --dist loadgroup -W ignore::DeprecationWarning

test-spark: $(VENV)/.test $(VENV)/.spark  ## run every metric on Spark; needs Java 17, installs pyspark (500 MB)
	@$(BIN)/python -m pytest -m spark tests/engines

lint: $(VENV)/.test $(VENV)/.lint  ## check style, types, imports and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout --verify notebooks/*.ipynb

format: $(VENV)/.lint  ## format the code and strip the notebooks
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/nbstripout notebooks/*.ipynb

notebook: $(VENV)/.notebook  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

dictionary: $(VENV)/.core  ## write data/README.md from the declared tables
	$(BIN)/python -m wegly_analytics.model.tables > data/README.md

LOCALE := wegly_analytics/i18n/locale
PO := --no-wrap --omit-header
catalog: $(VENV)/.core  ## extract the texts of the code into the gettext catalogs
	$(BIN)/pybabel extract --mapping pyproject.toml $(PO) --sort-output --no-location --output $(LOCALE)/wegly.pot wegly_analytics
	$(BIN)/pybabel update $(PO) --no-fuzzy-matching --ignore-obsolete --domain wegly --input-file $(LOCALE)/wegly.pot --output-dir $(LOCALE)

benchmark: $(VENV)/.test  ## measure the goals of speed beside other tools (DLT_PYTHON=...), and how cost grows; about an hour
	$(BIN)/python benchmarks/run.py $(if $(DLT_PYTHON),--dlt-python $(DLT_PYTHON))
	$(BIN)/python benchmarks/scale.py --pictures build/curves
	$(BIN)/python benchmarks/scale.py --only ids --ids 20000
	$(BIN)/python benchmarks/intake.py
	$(BIN)/python benchmarks/limiters.py --http

# old releases run with newer dependencies, so their deprecation warnings are ignored
$(LOWEST)/.test: $(BIN)/python pyproject.toml .ci/floors.py
	@echo "Installing the lowest declared versions into $(LOWEST) …"
	@$(BIN)/python -m venv $(LOWEST)
	@$(BIN)/python .ci/floors.py > $(LOWEST)/floors.txt
	@$(LOWEST)/bin/python -m pip --disable-pip-version-check install --quiet --constraint $(LOWEST)/floors.txt --editable '.[test]'
	@$(LOWEST)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps $(ORACLES)
	@touch $@

constraints: $(VENV)/.core $(VENV)/.test $(VENV)/.lint $(VENV)/.notebook $(VENV)/.spark  ## pin what is installed now
	$(PIP) freeze --exclude-editable --exclude wegly-analytics > constraints.txt

clean:  ## remove the virtual environment and all caches
	rm -rf $(VENV) $(LOWEST) build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wegly_analytics needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv is missing; README.md, section Install, says how to get it"; exit 1; }

$(VENV)/.core: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing wegly_analytics into $(VENV) …"
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test $(VENV)/.lint $(VENV)/.notebook $(VENV)/.spark: $(VENV)/.%: $(VENV)/.core
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[$*]'
	@test $* != test || $(PIP) install --quiet --constraint constraints.txt --no-deps $(ORACLES) || \
		echo "The oracle of the curves could not be installed; its tests will be skipped."
	@touch $@
