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
STAMP := $(VENV)/installed

# Processes that share the tests: many wait for servers and browsers, so that two are well used on two cores.
WORKERS ?= 2

# Examples per endpoint and property; a thousand take about ten minutes.
FUZZ_EXAMPLES ?= 1000

# Browser clients that make serve lets in: the public CDS Hooks Sandbox, on its site and run locally.
CDS_CORS_ORIGINS ?= ["https://sandbox.cds-hooks.org","http://localhost:8080","http://127.0.0.1:8080"]

.PHONY: help serve test lint rooms fuzz bench lock pictures clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

$(STAMP): setup.cfg pyproject.toml requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit("cds-service needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=23.1' 'setuptools>=77'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements-dev.lock --editable '.[dev]'
	touch $(STAMP)

serve: $(STAMP) ## Serve on http://127.0.0.1:8000 beside a demo FHIR server (HOST=, PORT=, FHIR_PORT= override)
	CDS_CORS_ORIGINS='$(CDS_CORS_ORIGINS)' $(BIN)/cds-service demo --host $(HOST) --port $(PORT) --fhir-port $(FHIR_PORT)$(if $(INSECURE), --insecure)

test: $(STAMP) ## Run the whole test suite (WORKERS= sets how many processes share it)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

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

bench: $(STAMP) ## Measure the cost of a call beside that of reading its JSON
	$(BIN)/python -m tests.bench

pictures: $(STAMP) ## Renew the pictures of the README from the running service (needs Chromium)
	$(BIN)/python -m tests.pictures

lock: $(STAMP) ## Renew requirements-dev.lock from the floors in setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --upgrade --quiet \
	    --no-annotate --no-header --output-file requirements-dev.lock

clean: ## Remove the environment and everything built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .hypothesis
