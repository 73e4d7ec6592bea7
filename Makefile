# Every target does its own set-up: the first run installs into .venv.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# Beyond this machine (HOST=0.0.0.0) the demo listens only with INSECURE=1: it asks nobody for a token.
INSECURE ?=
# The demo's EHR data, on this machine only; 0 takes a free port.
FHIR_PORT ?= 8001
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# When the demo was installed, and when all the rest.
DEMO := $(VENV)/installed-demo
STAMP := $(VENV)/installed

# Processes that share the tests: many wait for servers and browsers, so that two are well used on two cores.
WORKERS ?= 2
# A file stays with one process, which keeps what its tests share; the long files first, as tests/conftest.py has them.
PYTEST := -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Which tests, as pytest is told: TESTS=tests/test_pain.py, or TESTS='-m "not browser"'. Without, all of them.
TESTS ?=
# Those that need no more than Python, for runs that are made several times over.
QUICK := -m "not browser and not server and not postgresql"
# Pythons on which the suite is run where they are on this machine, from PATH or from pyenv.
VERSIONS ?= 3.11 3.12 3.13

# Examples per endpoint and property; a thousand take about ten minutes.
FUZZ_EXAMPLES ?= 1000

# How long the chaos disturbs the service, and how many calls the soak makes; with WRITE they renew their figures.
CHAOS_SECONDS ?= 300
CHAOS_WRITE ?=
SOAK_CALLS ?= 1000000
SOAK_WRITE ?=
# How many patients make population writes, and where.
SIZE ?= 10000
OUT ?= population

# Browser clients that make serve lets in: the public CDS Hooks Sandbox, on its site and run locally.
CDS_CORS_ORIGINS ?= ["https://sandbox.cds-hooks.org","http://localhost:8080","http://127.0.0.1:8080"]

.PHONY: help install serve test test-versions test-lowest coverage lint rooms fuzz bench chaos soak population lock licences cards safety docs pictures clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

# What serving needs: some 240 MB, of which Python's own tools are 26.
$(DEMO): setup.cfg pyproject.toml requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit("cds-service needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=23.1' 'setuptools>=77'
	$(PIP) --constraint requirements-dev.lock --editable '.[demo]'
	touch $(DEMO)

# The rest, for development and tests: a browser driver, PostgreSQL, checkers.
$(STAMP): $(DEMO)
	$(PIP) --constraint requirements-dev.lock --editable '.[dev]'
	touch $(STAMP)

install: $(STAMP) ## Install into .venv all that development and tests need

serve: $(DEMO) ## Serve on http://127.0.0.1:8000 beside a demo FHIR server (HOST=, PORT=, FHIR_PORT= override)
	CDS_CORS_ORIGINS='$(CDS_CORS_ORIGINS)' $(BIN)/cds-service demo --host $(HOST) --port $(PORT) --fhir-port $(FHIR_PORT)$(if $(INSECURE), --insecure)

test: $(STAMP) ## Run the whole test suite, or what TESTS= names (WORKERS= processes share it)
	$(BIN)/python $(PYTEST) $(TESTS)

test-versions: ## Run the tests on each Python of VERSIONS= that is on this machine
	@for version in $(VERSIONS); do \
	    for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version".*/bin/python none; do \
	        "$$python" -c '' 2>/dev/null && break; \
	    done; \
	    if [ $$python = none ]; then echo "SKIPPED, NOT TESTED: there is no Python $$version on this machine"; \
	    else echo "Python $$version"; $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$version || exit 1; fi; \
	done

test-lowest: .venv-lowest/installed ## Run the quick tests with the lowest versions that setup.cfg allows
	.venv-lowest/bin/python $(PYTEST) $(QUICK) $(TESTS)

.venv-lowest/installed: setup.cfg
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	touch $@

coverage: $(STAMP) ## Measure what the quick tests reach of the code, which may not fall below the floor in setup.cfg
	$(BIN)/python $(PYTEST) $(QUICK) --cov --cov-report=term:skip-covered

lint: $(STAMP) ## Check style, types, installed dependencies and their known vulnerabilities
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m mypy
	$(BIN)/python -m pip check
	$(BIN)/python -m tests.audit

rooms: $(STAMP) ## Show which room of the code imports which, and the floors on which they stand
	$(BIN)/python -m tests.rooms

fuzz: $(STAMP) ## Send the service many bad calls, for some minutes (FUZZ_EXAMPLES= sets how many)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/test_fuzz.py

bench: $(STAMP) ## Measure what a call costs beside what is usual (BENCH=, BENCH_SHORT=, BENCH_PEERS=, BENCH_WRITE=)
	BENCH="$(BENCH)" BENCH_SHORT=$(BENCH_SHORT) BENCH_PEERS=$(BENCH_PEERS) BENCH_WRITE=$(BENCH_WRITE) $(BIN)/python -m tests.bench

chaos: $(STAMP) ## Call for CHAOS_SECONDS= while database, disk and workers are taken away (CHAOS_WRITE=1 writes docs/)
	CHAOS_SECONDS=$(CHAOS_SECONDS) CHAOS_WRITE=$(CHAOS_WRITE) $(BIN)/python -m tests.chaos

soak: $(STAMP) ## Make SOAK_CALLS= calls and look for what is not given back (SOAK_WRITE=1 writes docs/)
	SOAK_CALLS=$(SOAK_CALLS) SOAK_WRITE=$(SOAK_WRITE) $(BIN)/python -m tests.chaos.soak
population: $(STAMP) ## Write made-up patients for a replay, of whom every figure is known (SIZE=, OUT=)
	$(BIN)/python -m tests.population --size $(SIZE) --out $(OUT)

cards: $(STAMP) ## Renew docs/cards.md, every kind of card as text
	$(BIN)/python -m tests.cards

safety: $(STAMP) ## Renew docs/safety.md, the safety case, from docs/safety/
	$(BIN)/python -m tests.safety

docs: $(STAMP) ## Renew the tables of README and docs/ that are made from the code
	$(BIN)/python -m tests.docs

pictures: $(STAMP) ## Renew the pictures of README and docs/ from the running service (needs Chromium)
	$(BIN)/python -m tests.pictures

# Empty, the versions stay and only what is new in setup.cfg is added.
UPGRADE ?= --upgrade
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --no-annotate --no-header --quiet
# The versions of development are those of production, each file named by its hashes.
HASHED := $(LOCK) --constraint requirements-dev.lock --generate-hashes

lock: $(STAMP) ## Renew the locks of production, demo and development from the floors in setup.cfg (UPGRADE= keeps versions)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) $(UPGRADE) --extra dev --output-file requirements-dev.lock setup.cfg
	$(HASHED) --extra postgresql --output-file requirements.lock setup.cfg
	$(HASHED) --extra demo --output-file requirements-demo.lock setup.cfg
	echo setuptools | $(HASHED) --output-file requirements-build.lock -

licences: $(STAMP) ## List the licence of everything that a production installation brings
	@$(BIN)/pip-licenses --with-urls --order license --packages $$(sed -n 's/^\([a-z0-9-]*\)==.*/\1/p' requirements.lock)

clean: ## Remove the environment and everything built
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .hypothesis
