# `make help` lists what there is. Everything works in .venv/ in this checkout and is quick the second time.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
WORKSPACE ?= workspace
JOBS ?= 2
PIP := --disable-pip-version-check --no-input
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test faults docs bench accuracy screenshots samples frameworks golden mutants torture notebook lint format lock dist clean browser port

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What has been installed is remembered in two stamps, so that a second call installs nothing.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) scripts/check_python.py
	@test -x $(BIN)/python || { echo "Making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing what overbudget needs into $(VENV), a minute or two the first time …"
	$(BIN)/python -m pip install $(PIP) -r requirements.lock
	$(BIN)/python -m pip install $(PIP) --no-deps -e .
	$(BIN)/python scripts/link_package.py
	@echo "Compiling for this machine, once (about a minute) …"
	@$(BIN)/overbudget warm
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing the tools of development …"
	$(BIN)/python -m pip install $(PIP) -r requirements-dev.lock
	@touch $@

port:
	@$(PYTHON) scripts/check_port.py $(PORT)

run: port $(VENV)/.runtime ## Serve the dashboard on http://localhost:8501 with a sample dataset open
	$(BIN)/overbudget serve --workspace $(WORKSPACE) --port $(PORT)

browser: $(VENV)/.dev
	@$(BIN)/python scripts/get_browser.py

PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder

test: $(VENV)/.dev browser ## Run the tests, those in a real browser included; ARGS="-k path" selects some
	$(PYTEST) -m "not faults" $(ARGS)

faults: $(VENV)/.dev browser ## Run the tests in which disks fail and writers are killed at any write, and 500 MB are uploaded
	$(PYTEST) -m faults $(ARGS)

lint: $(VENV)/.dev ## Check format, lint, types and the workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .github .pre-commit-config.yaml
	$(BIN)/zizmor --offline --quiet .github

docs: $(VENV)/.dev ## Regenerate docs/reference/ and the schemas from the code
	$(BIN)/python -m scripts.write_docs

format: $(VENV)/.dev ## Format the code and fix what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure speed and memory, each against a reference timed in the same run; ARGS="--minutes 0" without twenty people
	$(BIN)/python -m bench $(ARGS)

accuracy: $(VENV)/.dev ## Measure how often answers are right, into docs/accuracy.md; QUICK=1, REAL=folder of real faults
	$(BIN)/python -m bench.accuracy $(if $(QUICK),--quick) $(if $(REAL),--real "$(REAL)")

screenshots: $(VENV)/.dev browser ## Take pictures of every page, wide and narrow, light and dark, into docs/images/
	$(BIN)/python -m scripts.screenshots

samples: $(VENV)/.dev ## Rewrite sample_traces/dumps/, byte for byte
	$(BIN)/python -m sample_traces

frameworks: $(VENV)/.dev ## Record the output of other libraries anew, each in an environment of its own; needs the network and Node.js
	$(BIN)/python -m scripts.record_formats
	PATH="$(BIN):$$PATH" $(BIN)/python -m tests.frameworks.record

golden: $(VENV)/.dev ## Record the golden files again; read the diff before you commit it
	OVERBUDGET_GOLDEN=1 $(BIN)/python -m pytest -q -k golden

N ?= 400
SEED ?= 1
mutants: $(VENV)/.dev ## Mutation testing: how many of N plausible faults the tests notice, half an hour; N=20 SEED=2 for a short run
	$(BIN)/python -m scripts.mutants --count $(N) --seed $(SEED) --jobs $(JOBS)

MINUTES ?= 3
torture: $(VENV)/.dev ## Spoil dumps, explode bombs, fail disks, kill and crowd ingests for MINUTES=3; says cases, survived, lost
	$(BIN)/python -m scripts.torture --minutes $(MINUTES) --seed $(SEED)

notebook: $(VENV)/.dev ## Open the example notebooks
	$(BIN)/python -m pip install $(PIP) -r requirements-notebook.lock
	$(BIN)/python -m jupyter lab notebooks

lock: $(VENV)/.dev ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --extra dashboard pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --no-emit-find-links --no-header --extra dev --extra notebook -c requirements-dev.lock pyproject.toml -o requirements-notebook.lock

dist: $(VENV)/.dev ## Build the wheel and the source archive into dist/
	$(BIN)/python -m build --no-isolation --outdir dist

clean: ## Remove what make made: the environment and caches. Datasets stay: delete workspaces yourself
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
