# Everything a person types. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-% lint format bench bench-% soak docs lock clean
ARGS ?=
RUN := .venv/bin/

help: ## this list
	@echo "Gigawatch: the observatory of the EU AI factories."; echo
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo; echo "  ARGS='…' hands options on:  make demo ARGS='--for 60'   make test ARGS='-k merge'"

demo: ## everything on this machine, live: database, collector, simulated factories, alerts, pages
	@scripts/install run
	@$(RUN)gigawatch demo $(ARGS)

test: ## lint, types and all tests; installs what they need
	@scripts/install dev
	@scripts/test $(ARGS)

test-%: ## the tests of one part: make test-collector
	@scripts/install dev
	@$(RUN)python -m pytest tests/$* -m 'not soak' $(ARGS)

lint: ## ruff and basedpyright (strict), nothing changed
	@scripts/install dev
	@scripts/lint

format: ## ruff's formatter and safe fixes
	@scripts/install dev
	@$(RUN)ruff check -q --fix . ; $(RUN)ruff format -q .

bench: ## all benchmarks; each ends with one line of JSON
	@scripts/install dev
	@for file in tests/benchmarks/*.py; do echo "== $$file"; $(RUN)python $$file $(ARGS) || exit 1; done

bench-%: ## one benchmark: make bench-ingest
	@scripts/install dev
	@$(RUN)python tests/benchmarks/$*.py $(ARGS)

soak: ## the long forms: faults, load, fuzz (seeded); takes tens of minutes
	@scripts/install dev
	@$(RUN)python -m pytest tests -m soak --timeout=3600 $(ARGS)

docs: ## write the generated documents again (docs/metrics.md, docs/incident.md)
	@scripts/install dev
	@$(RUN)python -m gigawatch_contract.docs
	@$(RUN)python -m gigawatch_exporters.simulator.story

lock: ## pin dependencies anew from the ranges in */pyproject.toml
	@scripts/lock $(ARGS)

clean: ## remove .venv and caches of this checkout
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +
