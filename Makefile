# Everything runs from .venv, which `make setup` makes; nothing outside this folder is touched.

PYTHON ?= python3
EXPERIMENT ?= quickstart
ARGS ?=

BIN := .venv/bin
RUN_STAMP := .venv/.runtime
DEV_STAMP := .venv/.dev
DOCS_STAMP := .venv/.docs
REQUIREMENTS := pyproject.toml constraints.txt

# Processes side by side share the cores; threads of BLAS that wait for each other take up to a third of these.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup scale-sweep test test-gpu gpu-check gpu-wheels lint docs notebooks bench bench-gpu chaos fuzz clean
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F':.*## *' '/^[a-z-]+:.*##/ {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(RUN_STAMP)  ## make .venv with what training and analysis need

scale-sweep: $(RUN_STAMP)  ## sweep, collect and analyse EXPERIMENT=quickstart; ARGS="seeds=5" for more settings
	$(BIN)/harness sweep experiment=$(EXPERIMENT) $(ARGS)
	$(BIN)/harness analyze experiment=$(EXPERIMENT) $(ARGS)

test: $(DEV_STAMP)  ## the test suite
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n 2 --dist worksteal

test-gpu: $(DEV_STAMP)  ## the tests that need CUDA
	$(BIN)/python -m pytest -q -m gpu -rs

gpu-check:  ## does the harness work on this machine's GPU? 8 minutes; needs a PYTHON with torch, and no network
	$(PYTHON) experiments/gpu_check/check.py $(ARGS)

gpu-wheels:  ## what a bare GPU machine lacks, into build/gpu-wheels, to carry there; needs a network
	$(PYTHON) experiments/gpu_check/wheels.py $(ARGS)

lint: $(DEV_STAMP)  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(DOCS_STAMP)  ## the manual, into build/docs: open build/docs/index.html
	PYTHONPATH=docs NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -f docs/mkdocs.yml

# That of published curves needs files that are not part of this project, in the folder that HARNESS_REAL names.
NOTEBOOKS := $(filter-out $(if $(HARNESS_REAL),,notebooks/real_curves.ipynb),$(wildcard notebooks/*.ipynb))

notebooks: $(DEV_STAMP)  ## run the notebooks anew; what they show is stored in them
	$(BIN)/jupyter-execute --inplace --NotebookClient.record_timing=False $(NOTEBOOKS)

bench: $(RUN_STAMP)  ## the measurements of experiments/*/run.py
	@for script in $(filter-out experiments/chaos/run.py experiments/fuzz/run.py,$(wildcard experiments/*/run.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-gpu:  ## a sweep against loops on this machine's GPU; 3 minutes; needs a PYTHON with torch; HARNESS_NANOGPT=PATH
	PYTHONPATH=. $(PYTHON) experiments/sweep_speed/run.py --device cuda $(ARGS)

chaos: $(RUN_STAMP)  ## sweeps under kills, full disks and truncated files; 15 minutes, Linux; ARGS="--seed 1"
	$(BIN)/python experiments/chaos/run.py $(ARGS)

fuzz: $(RUN_STAMP)  ## 20,000 odd inputs of every kind: no crash, hang, lost row or stray file; ARGS="--seed 1"
	$(BIN)/python experiments/fuzz/run.py $(ARGS)

clean:  ## remove the environment and caches; results stay
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make a virtual environment: install the package python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv (sudo apt install)"; exit 1; }
	$(PYTHON) -m venv .venv

$(RUN_STAMP): $(BIN)/python $(REQUIREMENTS)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(DOCS_STAMP): $(RUN_STAMP)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@
