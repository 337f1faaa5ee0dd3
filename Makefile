# Every target sets up what it needs: Python 3.11 or later and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup test test-fast lint format bench docs demo before assess clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Levada needs Python 3.11 or later; name one with: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No .venv could be made; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV); the first time this takes some minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bench.txt
	@touch $@

# Without Java and Maven the tests with Kafka are skipped; in CI that fails.
define without-kafka
if test "$$CI" = true; then echo "$(1): with CI=true the tests with Kafka are not skipped, so this fails" >&2; exit 1; else echo "$(1): the tests with Kafka are skipped"; fi
endef
$(VENV)/.kafka: requirements/kafka/pom.xml requirements/kafka/jars.sha256 $(VENV)/.dev
	@if command -v java >/dev/null && command -v mvn >/dev/null; then \
	    rm -rf $(VENV)/kafka; \
	    mvn -q -B -C -f requirements/kafka/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=$(CURDIR)/$(VENV)/kafka \
	    && (cd $(VENV)/kafka && sha256sum --quiet -c $(CURDIR)/requirements/kafka/jars.sha256) && touch $@ \
	    || { rm -rf $(VENV)/kafka; $(call without-kafka,Kafka's jars could not be fetched); }; \
	else $(call without-kafka,There is no Java 17 or no Maven (apt install default-jre-headless maven)); fi

setup: $(VENV)/.dev ## Make .venv with all that development needs, pinned by hash

test: setup $(VENV)/.kafka ## Run all tests, with coverage
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered $(or $(ARGS),--cov-fail-under=84)

test-fast: setup ## Run the tests that take seconds
	$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

lint: setup ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## Run the benchmarks, or some: make bench NAME=http
	$(BIN)/python -m benchmarks $(NAME)

docs: setup ## Make the generated pages of docs/ anew, and the site of all pages in site/
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html; with its search: python3 -m http.server -d site"

demo: setup ## Order to cash on real orders: make demo [ORDERS=path]
	@$(BIN)/python -m examples.order_to_cash.demo $(if $(ORDERS),--orders "$(ORDERS)")

before: setup ## The same systems wired point to point, what Levada makes of them, and the same orders after: make before [ORDERS=path]
	@$(BIN)/python -m examples.order_to_cash.before $(if $(ORDERS),--orders "$(ORDERS)")

assess: setup ## Map, blueprint, 90-day plan and report of the bundled sample landscape
	@$(BIN)/python -m levada.landscape.sample

clean: ## Remove .venv and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache htmlcov .coverage*
