# Every target builds .venv first if it isn't there, and again when setup.cfg has changed.
#
#   PYTHON=...       the interpreter that makes .venv (default: python3.11, else the first of 3.12, 3.13, python3 that fits)
#   JOBS=2           test processes
#   PYTEST_ARGS=...  more arguments for pytest, as in  make test PYTEST_ARGS="-k elbo"
#   OTHERS=3.13      Pythons of `make test-others`
#   PIP_ARGS=...     more arguments for pip, as in  make bench PIP_ARGS="--extra-index-url <where torch's CPU builds are>"

VENV ?= .venv
JOBS ?= 2
PYTEST_ARGS ?=
PIP_ARGS ?=
OTHERS ?= 3.11 3.12 3.13

CANDIDATES = $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_BENCH := $(VENV)/.installed-bench
PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
FAST = not slow and not examples
# What depends on the Python, or on what is installed with it: ArviZ is another one since Python 3.12.
ON_OTHERS = tests/models/test_arviz.py tests/diagnostics/test_chains.py tests/diagnostics/test_importance.py \
  tests/saving/test_arguments.py tests/saving/test_former_files.py tests/saving/test_replacing.py \
  tests/saving/test_new_process.py::test_a_new_process tests/test_interpreters.py

export TF_CPP_MIN_LOG_LEVEL ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-others check bench

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED)  ## train a VAE on handwritten digits, save it, reload it, draw a picture
	$(BIN)/python examples/00_demo.py

test: $(INSTALLED)  ## the fast tests on TensorFlow, then on JAX
	KERAS_BACKEND=tensorflow $(PYTEST) -m "$(FAST)" $(PYTEST_ARGS)
	KERAS_BACKEND=jax $(PYTEST) -m "$(FAST) and not once" $(PYTEST_ARGS)

test-all: $(INSTALLED)  ## every test on both backends, the slow ones and the examples too
	KERAS_BACKEND=tensorflow $(PYTEST) $(PYTEST_ARGS)
	KERAS_BACKEND=jax $(PYTEST) -m "not once" $(PYTEST_ARGS)

test-others: $(INSTALLED)  ## imports, saving and ArviZ on the other Pythons that are here
	@status=0; for version in $(OTHERS); do \
	  $(BIN)/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] == '$$version')" || continue; \
	  found=; for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; do \
	    if $$python -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')" 2>/dev/null; \
	      then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "There is no Python $$version here; its tests are left out."; continue; fi; \
	  echo "Python $$version: installing kprob into $(VENV)-$$version, once"; \
	  { [ -x $(VENV)-$$version/bin/python ] || $$found -m venv $(VENV)-$$version; } && \
	  $(VENV)-$$version/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[test]' && \
	  KERAS_BACKEND=tensorflow $(VENV)-$$version/bin/python -m pytest -n $(JOBS) --dist worksteal $(ON_OTHERS) $(PYTEST_ARGS) \
	    || status=1; \
	done; exit $$status

check: $(INSTALLED)  ## lint, format, types, the order of imports, README's code, and every example in brief
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	KERAS_BACKEND=tensorflow $(PYTEST) tests/test_architecture.py tests/test_examples.py tests/test_readme.py $(PYTEST_ARGS)

bench: $(INSTALLED_BENCH)  ## kprob beside Pyro, NumPyro and plain Keras + TFP
	$(BIN)/python -m benchmarks

# `python3.12` may be a shim that runs nothing, so each candidate is asked for its version.
$(INSTALLED): setup.cfg pyproject.toml
	@set -e; fits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if ! $(BIN)/python -c "$$fits" 2>/dev/null; then \
	  for python in $(CANDIDATES); do \
	    if $$python -c "$$fits" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "kprob needs Python 3.11, 3.12 or 3.13 with its venv module; tried $(CANDIDATES)." \
	      "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$found"; $$found -m venv --clear $(VENV); \
	fi; \
	echo "Installing kprob into $(VENV): a minute or two, once"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[test,examples,plots,jax]'
	@touch $@

$(INSTALLED_BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -e '.[bench]'
	@touch $@
