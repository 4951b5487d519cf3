# Targets are described by the comment after ##; `make` alone prints them.
PYTHON ?= python3.11
PORT ?= 8000
STUDY ?= correlations
PROFILE ?= smoke

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help book test test-slow test-network bench lint serve study clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installs what requirements.lock pins; done again only when one of the two files changes.
$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo "$(PYTHON) not found: install Python 3.11, or say where it is: make PYTHON=..." >&2; \
	  exit 1; }
	@echo "Installing the pinned packages into .venv; the first time takes a few minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --requirement requirements.lock
	@$(BIN)/python -m pip install -qq --no-deps --editable .
	@touch $@

book: $(INSTALLED)  ## build the book from the stored records, without training
	@$(BIN)/nasrepro book build
	@echo "or serve it: make serve"

test: $(INSTALLED)  ## run the fast tests
	@$(BIN)/python -m pytest

test-slow: $(INSTALLED)  ## run the slow tests
	@$(BIN)/python -m pytest -m slow

test-network: $(INSTALLED)  ## run the tests that download
	@$(BIN)/python -m pytest -m network

bench: $(INSTALLED)  ## measure how fast the library is; nothing else should be running
	@$(BIN)/python benchmarks/run.py $(ARGS)

lint: $(INSTALLED)  ## check style and format with ruff
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

serve:  ## serve the built book on this machine: PORT=8000
	@$(PYTHON) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

study: $(INSTALLED)  ## compute what a study lacks: STUDY=correlations PROFILE=smoke ARGS="--seeds 1"
	@$(BIN)/nasrepro study run $(STUDY) --profile $(PROFILE) $(ARGS)

clean:  ## delete the built book; records and .venv stay
	@rm -rf _build book/_executed
