# One machine, wheels only: needs Python 3.11 to 3.13 and make, nothing else.
# Knobs: API_PORT (8000), FLOWER_PORT (5555), DATA_DIR (.local), RATE_LIMITS (on).

# Tried, not looked up: a shim of pyenv is on the PATH even when it cannot run.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	>/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv/bin/python
# A part of the tests cannot cover the whole, so the limit counts for whole runs only.
LIMIT := $(if $(ARGS),,--cov-fail-under=85)

.DEFAULT_GOAL := help
.PHONY: help run dev demo logs test campaigns bench chaos check format lock install install-dev install-bench python

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## start everything; Ctrl-C stops everything
	@exec $(VENV) -m local run

dev: install ## the same, restarting what runs changed code
	@exec $(VENV) -m local run --reload

demo: install ## plan a shipped road trip against the running stack
	@exec $(VENV) -m local.demo $(ARGS)

logs: ## follow the logs of the running stack
	@exec tail -n 20 -F "$${DATA_DIR:-.local}"/logs/*.log

test: install-dev ## run the tests; ARGS= goes to pytest, e.g. ARGS="-k jobs -x"
	@$(VENV) -m pytest -n auto --dist loadfile -m "not campaign" --cov --cov-report=term $(LIMIT) $(ARGS)

campaigns: install-dev ## the tests that take long: fault by fault, the fuzz of the API, its tools
	@$(VENV) -m pytest -n auto --dist loadfile -m campaign $(ARGS)

bench: install-bench ## measure, the peer beside us; ARGS="a c" for some sections
	@exec $(VENV) -m bench $(ARGS)

chaos: install-dev ## break everything at random; CHAOS_SECONDS (300), CHAOS_SEED, CHAOS_DIR
	@exec $(VENV) -m tests.chaos

check: install-dev ## ruff, mypy, import-linter, migrations up and down
	@$(VENV) -m ruff check
	@$(VENV) -m ruff format --check
	@$(VENV) -m mypy
	@$(VENV) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	@$(VENV) -m local.migrations

format: install-dev ## let ruff put everything in shape
	@$(VENV) -m ruff check --fix
	@$(VENV) -m ruff format

lock: python ## pin pyproject.toml's dependencies anew in requirements/
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	"$(PYTHON)" -m venv "$$folder" && "$$folder/bin/python" -m pip install --quiet uv && \
	compile="$$folder/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url $(UV_ARGS)" && \
	$$compile -o requirements/run.txt && $$compile --extra otel -o requirements/otel.txt && \
	$$compile --extra ocr -o requirements/ocr.txt && \
	$$compile --extra dev --extra otel --extra ocr -o requirements/dev.txt && \
	$$compile --extra dev --extra otel --extra ocr --extra bench -o requirements/bench.txt

install: python
	@"$(PYTHON)" -I local/install.py run

install-dev: python
	@"$(PYTHON)" -I local/install.py dev

install-bench: python
	@"$(PYTHON)" -I local/install.py bench

python:
	@test -n "$(PYTHON)" || { \
		echo "wheels: Python 3.11, 3.12 or 3.13 is needed (PYTHON=/path/to/python)" >&2; exit 2; }
