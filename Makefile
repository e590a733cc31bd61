# SDM. `make` shows what there is. Needs Python 3.11 or newer, and make; everything else is installed into .venv.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PG15_BIN := /usr/lib/postgresql/15/bin
PYTEST := $(BIN)/python -m pytest
CODE := sdm branches inventory finance alerts migrations tests bench wsgi.py hatch_build.py

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-pg15 check format bench lock revision clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv (quick the second time)

$(STAMP): pyproject.toml requirements.lock hatch_build.py package.json package-lock.json
	@test -x $(BIN)/python || { \
	  for python in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "Python 3.11 or newer is needed"; exit 1; fi; \
	  $$found -m venv $(VENV) || { echo "$$found cannot make virtual environments; install its venv package"; rm -rf $(VENV); exit 1; }; \
	}
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## Look around in a made-up company at http://127.0.0.1:8000 (data in ./demo-data)
	@SDM_HOME="$${SDM_HOME:-$(CURDIR)/demo-data}" exec $(BIN)/sdm demo

run: $(STAMP) ## Serve with your own data (SDM_HOME, default ~/sdm-data)
	@exec $(BIN)/sdm serve

test: $(STAMP) ## Run all tests on the embedded PostgreSQL
	$(PYTEST) -n auto --dist loadfile $(ARGS)

test-pg15: $(STAMP) ## Run all tests on the system's PostgreSQL 15
	@if [ -x $(PG15_BIN)/postgres ]; then \
	  SDM_PG_BIN=$(PG15_BIN) $(PYTEST) -n auto --dist loadfile $(ARGS); \
	else echo "skipped: no PostgreSQL 15 in $(PG15_BIN)"; fi

check: $(STAMP) ## Check style, types, layers and translations
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	@missing="$$($(BIN)/python -m sdm.kernel.catalogue missing zh_CN)"; \
	  if [ -n "$$missing" ]; then echo "$$missing"; echo "these texts have no Chinese translation"; exit 1; fi

format: $(STAMP) ## Put the code into the common format
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(STAMP) ## Measure speed against the floor; writes bench/out/summary.json
	$(BIN)/python bench/run.py $(ARGS)

lock: ## Resolve all dependencies anew and pin them in requirements.lock
	rm -rf build/lock && $(if $(wildcard $(BIN)/python),$(BIN)/python,python3) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	build/lock/bin/python -m pip freeze --exclude-editable --exclude sdm > requirements.lock
	rm -rf build/lock

revision: $(STAMP) ## Write a migration from the models: make revision MESSAGE="what changes"
	@rm -rf build/revision && mkdir -p build
	SDM_HOME="$(CURDIR)/build/revision" $(BIN)/sdm db upgrade
	SDM_HOME="$(CURDIR)/build/revision" $(BIN)/sdm db revision -m "$(MESSAGE)"
	@rm -rf build/revision

clean: ## Remove what was built; your data stay
	rm -rf $(VENV) build dist sdm/static/vendor bench/out htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find sdm -name '*.mo' -delete
