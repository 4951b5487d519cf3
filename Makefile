# Targets are described by the comment after ##; `make` alone prints them.
PORT ?= 8000
STUDY ?= correlations
PROFILE ?= smoke

BIN := .venv/bin
INSTALLED := .venv/.installed

# The version of a Python, if it runs and is one that the pinned packages are for.
version = $(filter 3.11 3.12 3.13,$(shell $(1) -c \
  'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
# The Python that was asked for with PYTHON=..., if it is fit; else the first that is.
FIT = $(firstword $(foreach python,$(or $(PYTHON),python3.13 python3.12 python3.11 python3),\
  $(if $(call version,$(python)),$(python))))
# What is in .venv stays if it is whole, and no other version was asked for.
HAVE := $(if $(wildcard $(INSTALLED)),$(call version,$(BIN)/python))
KEEP := $(if $(PYTHON),$(filter $(HAVE),$(call version,$(PYTHON))),$(HAVE))

# A file's tests share what they read and compute, so a process has whole files.
PARALLEL := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help book test test-avx2 test-slow test-network bench lint serve study clean anew

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installs what requirements.lock pins; done again only when one of the two files changes.
$(INSTALLED): requirements.lock pyproject.toml $(if $(KEEP),,anew)
	@echo "Installing the pinned packages into .venv; the first time takes some minutes."
	@$(BIN)/python -m pip install --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

anew:
	@test -n "$(FIT)" || { \
	  echo "$(if $(PYTHON),$(PYTHON) is no Python,found no Python) 3.11, 3.12 or 3.13:" \
	    "install one, or say where it is: make PYTHON=..." >&2; \
	  exit 1; }
	@$(FIT) -m venv --clear .venv

book: $(INSTALLED)  ## build the book from the stored records, without training
	@$(BIN)/nasrepro book build
	@echo "or serve it: make serve"

test: $(INSTALLED)  ## run the fast tests
	@$(BIN)/python -m pytest $(PARALLEL)

test-avx2: $(INSTALLED)  ## run the tests that use torch as a processor without AVX-512 would
	@ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 \
	  $(BIN)/python -m pytest $(PARALLEL) -m "torch and not slow and not network"

test-slow: $(INSTALLED)  ## run the slow tests
	@$(BIN)/python -m pytest $(PARALLEL) -m slow

test-network: $(INSTALLED)  ## run the tests that download
	@$(BIN)/python -m pytest -m network

bench: $(INSTALLED)  ## measure how fast the library is; nothing else should be running
	@$(BIN)/python benchmarks/run.py $(ARGS)

lint: $(INSTALLED)  ## check style and format with ruff, types with mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

serve:  ## serve the built book on this machine: PORT=8000
	@$(FIT) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

study: $(INSTALLED)  ## compute what a study lacks: STUDY=correlations PROFILE=smoke ARGS="--seeds 1"
	@$(BIN)/nasrepro study run $(STUDY) --profile $(PROFILE) $(ARGS)

clean:  ## delete the built book; records and .venv stay
	@rm -rf _build book/_executed
