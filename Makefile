# Every path is relative: a checkout may lie in a folder with blanks in its name.
PY := .venv/bin/python
PORT ?= 8080
ARGS ?=
MINUTES ?= 15

.DEFAULT_GOAL := help
.PHONY: help run test check mutants bench soak hostile shots lock docs

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

.venv/.ready: requirements.lock pyproject.toml .ci/venv
	@.ci/venv

run: .venv/.ready ## start everything against the sandbox systems (ARGS="--port 9000")
	@exec $(PY) -m bridge up --sandbox --port $(PORT) $(ARGS)

test: .venv/.ready ## run the whole test suite, on real servers that it starts itself (ARGS="-k merge")
	@$(PY) -m pytest -n 2 --dist worksteal $(ARGS)

check: .venv/.ready ## lint, types, and the shipped configuration and mappings
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(PY) -m bridge check --sandbox

mutants: .venv/.ready ## break the source on purpose, one rule at a time, and see a test notice
	@$(PY) tests/mutants/run.py $(ARGS)

bench: .venv/.ready ## measure speed beside peers, in one table (ARGS="counting --small")
	@$(PY) -m bench.run $(ARGS)

soak: .venv/.ready ## real processes under load, something killed every 20 s (MINUTES=15)
	@$(PY) -m tests.processes.soak --minutes $(MINUTES) $(ARGS)

hostile: .venv/.ready ## vendors that answer wrongly in every way; puts the figures into docs/reliability.md
	@$(PY) -m tests.hostile.table

shots: .venv/.ready ## take every page, light, dark and narrow, into var/shots/index.html
	@$(PY) -m tests.browser.shots

docs: .venv/.ready ## rewrite the generated parts of docs/
	@$(PY) docs/generate.py

lock: .venv/.ready ## pin every package by hash, for all platforms, from pyproject.toml
	@$(PY) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
		--custom-compile-command "make lock" --group dev --output-file requirements.lock pyproject.toml
