# `make help` lists what there is. Everything works in .venv/ in this checkout and is quick the second time.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
WORKSPACE ?= workspace

.DEFAULT_GOAL := help
.PHONY: help run test bench accuracy screenshots samples golden notebook lint format types lock clean browser

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What has been installed is remembered in two stamps, so that a second call installs nothing.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python scripts/link_package.py
	@echo "Compiling the kernels, once (about a minute) …"
	@$(BIN)/python -m scripts.compile_kernels
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

run: $(VENV)/.runtime ## Serve the dashboard on http://localhost:8501 with a sample dataset open
	$(BIN)/overbudget serve --workspace $(WORKSPACE) --port $(PORT)

browser: $(VENV)/.dev
	@$(BIN)/python scripts/get_browser.py

test: $(VENV)/.dev browser ## Run every test, those in a real browser included
	$(BIN)/python -m pytest

lint: $(VENV)/.dev ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure speed and memory, each against a reference timed in the same run
	$(BIN)/python -m bench

accuracy: $(VENV)/.dev ## Say how often the right culprit is named, and predictions come true, in random worlds
	$(BIN)/python -m bench.accuracy --misses

screenshots: $(VENV)/.dev browser ## Take pictures of every page, wide and narrow, light and dark, into docs/images/
	$(BIN)/python -m scripts.screenshots

samples: $(VENV)/.dev ## Rewrite sample_traces/dumps/, byte for byte
	$(BIN)/python -m sample_traces

golden: $(VENV)/.dev ## Record the golden files anew; read the diff before you commit it
	OVERBUDGET_GOLDEN=1 $(BIN)/python -m pytest -q -k golden

notebook: $(VENV)/.dev ## Open the example notebook
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-notebook.lock
	$(BIN)/python -m jupyter lab notebooks/latency_review.ipynb

lock: $(VENV)/.dev ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --extra dev --extra notebook -c requirements-dev.lock pyproject.toml -o requirements-notebook.lock

clean: ## Remove the environment, caches and the workspace's datasets
	rm -rf $(VENV) $(WORKSPACE) .pytest_cache .mypy_cache .ruff_cache *.egg-info
