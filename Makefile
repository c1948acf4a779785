# The two commands of the README are `make run` and `make test`; the rest are their parts.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
BIN := .venv/bin
STAMP := .venv/.installed
# Where the engines differ most; `make run TASKS='glob(*)'` runs all six.
TASKS ?= mnist_mlp,text_gen
BACKENDS ?= theano,tensorflow,cntk,tensorflow2,jax,torch
DATA ?= auto
PYTEST := $(BIN)/python -m pytest

.PHONY: run setup launcher test test-sweeps test-unit test-golden test-property test-faults test-e2e test-browser lint report \
        bench-overhead bench-analysis server server-stop doctor clean

run: setup  ## a feed-forward and a recurrent network on all six backends; ends with the answer
	@$(BIN)/python experiments/sweep.py -m task='$(TASKS)' backend=$(BACKENDS) profile=quick data=$(DATA) $(ARGS); \
	status=$$?; \
	echo "All runs are in mlflow.db. To look at them:  source .venv/bin/activate && mlflow ui"; \
	exit $$status

setup: $(STAMP)  ## the project's own environment in .venv

$(STAMP): requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "error: no python3 found; Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"error: {sys.executable} is Python {v[0]}.{v[1]}; 3.11 or newer is needed: make PYTHON=…")'
	@echo "making .venv with $(PYTHON) (about a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements/dev.txt)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(MAKE) --no-print-directory --silent launcher
	@touch $@

# $(BIN)/kbb is `python -m experiments` under a name that a shell can complete, from any folder. The checkout is
# the first place to import from, so that no folder `experiments` of the current one is taken for it.
define KBB
#!/bin/sh
root='$(CURDIR)'
exec "$$root/.venv/bin/python" -c 'import sys; sys.path[0] = sys.argv.pop(1); \
from experiments.__main__ import main; sys.exit(main(program="kbb"))' "$$root" "$$@"
endef
export KBB

launcher:
	@printf '%s\n' "$$KBB" > $(BIN)/kbb && chmod +x $(BIN)/kbb

# The engines are built and checked (Theano compiles for minutes) while the tests that need no engine run; the others
# wait by the same locks as any run. Sweeps mostly sleep: five at once, the slowest first. Of the others as many as
# two processors can run.
WITHOUT_ENGINES := tests/unit tests/golden tests/property -n auto --dist loadfile
SLOWEST := tests/e2e/test_sweep_launchers.py
SWEEP_FILES := $(SLOWEST) $(filter-out $(SLOWEST),$(wildcard tests/e2e/test_sweep*.py))
SWEEPS := $(SWEEP_FILES) -n 5 --dist loadgroup
FAULTS := tests/faults -n 2
WITH_ENGINES := tests/e2e tests/browser $(addprefix --ignore ,$(SWEEP_FILES)) -n 2 --dist loadfile

test: SHELL := bash
test: setup  ## everything, as CI runs it
	@$(BIN)/python -m experiments env check >/dev/null 2>&1 & engines=$$!; \
	trap 'kill $$engines 2>/dev/null || true' EXIT; \
	$(MAKE) --no-print-directory lint && $(PYTEST) $(WITHOUT_ENGINES) && $(PYTEST) $(SWEEPS) && \
	$(PYTEST) $(FAULTS) && { wait; $(PYTEST) $(WITH_ENGINES); }

test-sweeps: setup  ## whole sweeps, resumed, through Slurm and Ray, into a server
	$(PYTEST) $(SWEEPS)

test-unit: setup  ## no frameworks, under a minute; -m heavy for the rest
	$(PYTEST) tests/unit -m "not heavy" -n auto -q

test-golden: setup
	$(PYTEST) tests/golden

test-property: setup
	$(PYTEST) tests/property

test-faults: setup  ## a worker that misbehaves, through the real parent; prints the table of injections
	$(PYTEST) $(FAULTS)

test-e2e: setup  ## the real engines, on real data if KBB_TEST_DATA names its folder
	$(PYTEST) tests/e2e

test-browser: setup
	$(PYTEST) tests/browser

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

report: setup
	$(BIN)/python -m analysis report -o report.html

bench-overhead: setup
	$(BIN)/python benchmarks/bench_overhead.py

bench-analysis: setup
	$(BIN)/python benchmarks/bench_analysis.py

server: setup  ## MLflow on PostgreSQL, this machine only: then tracking=server
	$(BIN)/python -m experiments server start

server-stop:
	$(BIN)/python -m experiments server stop

doctor: setup
	$(BIN)/python -m experiments doctor

clean:  ## caches of tests and tools; runs, store and environments stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
