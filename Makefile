# The project's commands. `make run` and `make test` are all a newcomer needs.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps

.DEFAULT_GOAL := help
.PHONY: help run test lint types imports unit bench fuzz lock baseline docs extension audit sbom clean

help:  ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMPS)/run: requirements.lock pyproject.toml tools/find-python
	@mkdir -p $(STAMPS)
	python=$$(tools/find-python) && { [ -x $(BIN)/python ] || "$$python" -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/test: requirements-dev.lock $(STAMPS)/run tools/install-test-tools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	tools/install-test-tools
	@touch $@

run: $(STAMPS)/run  ## Install, then start proxy and API on this machine
	$(BIN)/sovproxy run

test: $(STAMPS)/test lint types imports unit  ## Install what tests need, check everything

lint: $(STAMPS)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMPS)/test
	$(BIN)/mypy

imports: $(STAMPS)/test
	$(BIN)/lint-imports --no-cache

unit: $(STAMPS)/test
	$(BIN)/pytest -n 2 --dist loadfile

bench: $(STAMPS)/test  ## Print the figures: decisions per second, cost over bare mitmproxy
	$(BIN)/python -m pytest bench --benchmark-columns=median,ops,rounds
	$(BIN)/python bench/proxy_cost.py
	$(BIN)/python bench/extension.py

fuzz: $(STAMPS)/test  ## Fuzz every parser of bytes from outside with a million inputs
	$(BIN)/python bench/fuzz.py --inputs 1000000

lock: $(STAMPS)/test  ## Resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header \
	  --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

baseline: $(STAMPS)/test  ## Build the shipped GeoIP and ASN databases from the npm packages
	$(BIN)/python tools/build_baseline.py

docs: $(STAMPS)/test  ## Regenerate what is generated in docs/
	$(BIN)/python tools/generate_docs.py

extension: $(STAMPS)/run  ## Build the browser extension for Chromium and Firefox: dist/
	$(BIN)/python tools/build_extension.py

audit: $(STAMPS)/test  ## Ask about known holes in dependencies; fails where nothing can be known
	$(BIN)/python tools/audit.py

sbom: $(STAMPS)/test  ## List all parts with versions and hashes (CycloneDX): dist/sovproxy.cdx.json
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --output-format JSON --output-file dist/sovproxy.cdx.json

clean:  ## Remove the environment and caches
	rm -rf $(VENV) $(STAMPS) build dist *.egg-info
