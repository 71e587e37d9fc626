# `make run` and `make test` prepare everything they need; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test lint format bench chaos guards fuzz interop tck setup setup-dev doctor lock env-example ui types python soak

# The text of a task reaches the shell as a variable: neither make nor the shell expands what stands in it.
override TASK := $(value TASK)
export TASK

# What a process compiles is kept: the services and the tests start many that import the same.
unexport PYTHONDONTWRITEBYTECODE

# The first Python that is new enough; `make PYTHON=/path/to/python run` decides otherwise.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
endif

TEST_ARGS ?= -n 4 --dist worksteal

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: setup ## Start the federation; with TASK="..." run that one task and print its result
	@if [ -n "$$TASK" ]; then exec .venv/bin/federation run --start -- "$$TASK"; else exec .venv/bin/federation up; fi

test: setup-dev ## Run the whole test suite; TEST_ARGS="..." replaces pytest's arguments
	@exec .venv/bin/python -m pytest $(TEST_ARGS)

lint: setup-dev ## Check style, types and which module may import which
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/basedpyright
	.venv/bin/lint-imports

format: setup-dev ## Format the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: setup-dev ## Run the benchmarks, one after the other
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; .venv/bin/python "$$script"; done

chaos: setup-dev ## Kill everything at every moment, and check that nothing is lost; CHAOS_ARGS="--seed 7 --rounds 50"
	@.venv/bin/python -m tests.chaos $(CHAOS_ARGS)
	@FEDERATION_CHAOS_EXAMPLES=20 .venv/bin/python -m pytest tests/orchestrator/test_state_machine.py -p no:xdist --timeout 1800

soak: setup-dev ## Do 500 browser tasks on one service, and see whether it grows; SOAK_ARGS="--tasks 2000"
	@.venv/bin/python -m tests.browser.soak $(SOAK_ARGS)

fuzz: setup-dev ## Ask every route of every service for what no client would, much more often than `make test`
	@FUZZ_EXAMPLES=300 .venv/bin/python -m pytest tests/fuzz -p no:xdist --timeout 3600 $(FUZZ_ARGS)

guards: setup-dev ## Turn off each guard in a copy, and see that its test fails; GUARDS_ARGS="--only webhook"
	@.venv/bin/python -m tests.guards.removal $(GUARDS_ARGS)

tck: setup-dev ## Run the official A2A conformance kit against all five services; TCK=path-of-its-checkout
	@.venv/bin/python -m tests.conformance.run_kit "$(TCK)"

interop: setup-dev ## Try the agents and clients of other frameworks with ours; the first time, install them
	@.venv/bin/python -m tests.interop.prepare
	@.venv/bin/python -m pytest tests/interop -m interop -p no:xdist $(INTEROP_ARGS)

setup: python ## Install what `make run` needs, if it is not there
	@"$(PYTHON)" deploy/setup.py $(if $(AGAIN),--again)

setup-dev: python ## Install what `make test` needs too
	@"$(PYTHON)" deploy/setup.py --dev $(if $(AGAIN),--again)

doctor: setup ## Say what is there, what is missing and how to get it
	@exec .venv/bin/federation doctor

python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer found. Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.11 run" >&2; exit 1; }

lock: ## Resolve the dependencies of pyproject.toml anew (needs uv)
	printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --upgrade pyproject.toml - --output-file requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --upgrade --constraint requirements.lock --group pyproject.toml:dev --output-file requirements-dev.lock

ui: python ## Build the web UI (needs Node.js 20)
	@"$(PYTHON)" deploy/setup.py --ui --again

types: setup ## Make the web UI's types anew from the API's description (needs `make ui` once)
	@.venv/bin/python -m orchestrator_service.openapi_document | (cd web && npm run --silent types)

env-example: setup ## Write .env.example anew from the services' settings
	@.venv/bin/python -m federation.env_example > .env.example
