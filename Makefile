# Every verb works on a fresh clone: the first one makes .venv from the lock files. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
ARGS   ?=

# ---- set-up: one .venv, three steps, each marked by a file so that it happens once and again when its lock file changes

MADE  := $(VENV)/.made
READY := $(VENV)/.ready-to-run
DEV   := $(VENV)/.ready-to-test

$(MADE):
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Closeout needs Python 3.11 or newer, and there is no '$(PYTHON)' here; name yours: make ... PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Closeout needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1); name another: make ... PYTHON=python3.12" >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version 2>&1)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The dev lock holds everything that the runtime lock holds, in the same versions: the order of the two does not matter.
$(READY): requirements.lock pyproject.toml $(MADE)
	@echo "installing the locked dependencies"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock $(READY)
	@echo "installing the locked test dependencies"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# ---- verbs

.PHONY: help run test check lint e2e explore explore-bugs real days fuzz kills power bench torn pg-test lock certs mutants

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

run: $(READY) ## play the demo day, print the verdict, stay up (ONCE=1: end there; LAN=1: let terminals in from the network)
	@$(BIN)/python -m terminal_sim.lab.demo $(if $(ONCE),--once) $(if $(LAN),--lan)

test: $(DEV) ## the whole test suite (ARGS="-k sale -x" goes to pytest)
	@$(BIN)/python -m pytest $(ARGS)

# One after the other, also under -j: a broken rule is told before minutes of tests.
check: ## all that CI runs: lint, types, import contracts, tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test

lint: $(DEV) ## ruff (rules and format), mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

e2e: $(DEV) ## only the tests with real processes over real TCP
	@$(BIN)/python -m pytest tests/e2e $(ARGS)

EXPLORE ?= build/explore
explore: $(DEV) ## every single and double fault of the standard day, profiles HC and TC, two reports (minutes; ARGS="--faults 1")
	@$(BIN)/terminal-sim explore standard-day --profile HC --report $(EXPLORE)/HC $(ARGS)
	@$(BIN)/terminal-sim explore standard-day --profile TC --report $(EXPLORE)/TC $(ARGS)

explore-bugs: $(DEV) ## hunts each planted bug in its day and writes docs/planted-bugs-found.md (minutes; ARGS="rev-drop-n")
	@$(BIN)/python -m tests.explore.hunting $(ARGS)

real: $(DEV) ## 29 scenarios of the library with real processes over TCP, held against the world (minutes)
	@CLOSEOUT_REAL=all $(BIN)/python -m pytest tests/e2e/test_real_scenarios.py $(ARGS)

DAYS ?= 500
days: $(DEV) ## random shopping days, both ends in process, every operation: DAYS=500 in each dialect (minutes)
	@CLOSEOUT_DAYS=$(DAYS) $(BIN)/python -m pytest tests/property/test_shopping_days.py --timeout 3000 $(ARGS)

certs: $(DEV) ## certificates for TLS tests into ./certs: CA, server, client, an expired one, a stranger's (docs/network.md)
	@$(BIN)/python -m tests.support.certs certs

mutants: $(DEV) ## take each clause of the reference rules out of a copy of the code: its tests must fail (ARGS="RT4")
	@$(BIN)/python -m tests.mutants.run $(ARGS)

bench: $(DEV) ## approvals a second, latencies, memory, start, beside a bare echo; minutes (ARGS="--json FILE --lines 100")
	@$(BIN)/python -m tests.bench.report $(ARGS)

KILLS ?= 200
kills: $(DEV) ## kill -9 of the host under real terminals of all dialects, KILLS=200 times, all books compared (minutes)
	@CLOSEOUT_KILLS=$(KILLS) $(BIN)/python -m pytest tests/e2e/test_host_kills.py -s $(ARGS)

power: $(DEV) ## the terminal's power fails at every step of every operation (WRITE=1: and docs/power-matrix.md anew; minutes)
	@POWER_CUTS=$(if $(WRITE),write,all) $(BIN)/python -m pytest tests/e2e/test_power_matrix.py -s $(ARGS)

FUZZ ?= 200000
FUZZ_SEED ?= $(shell date +%Y%m%d)
fuzz: $(DEV) ## bad input in process: FUZZ=200000 mutated real messages in every dialect (FUZZ_SEED=N: a run again)
	@FUZZ=$(FUZZ) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest tests/property/test_bad_input_fuzz.py --show-capture=no $(ARGS)

TEARS ?= 1000
torn: $(DEV) ## the log of writes torn at TEARS=1000 random bytes, opened and audited each time (minutes)
	@CLOSEOUT_TEARS=$(TEARS) $(BIN)/python -m pytest -s tests/e2e/test_torn_wal.py --timeout 7200 $(ARGS)

pg-test: $(DEV) ## all that keeps books, engine and days of shopping included, on the PostgreSQL from the wheel (minutes)
	@CLOSEOUT_TEST_STORE=pg $(BIN)/python -m pytest -m pg --timeout 900 $(ARGS)

# --no-emit-index-url and --no-header keep registry addresses and paths of this machine out of the files.
# UPGRADE=1 takes the newest versions that pyproject.toml allows; without it only what changed there moves.
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

lock: $(DEV) ## write both lock files anew from pyproject.toml (UPGRADE=1: with the newest versions)
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --group build --group dev --extra pg --output-file requirements-dev.lock
