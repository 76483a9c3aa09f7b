# make run    start Perennial with demo data, from nothing but Python 3.11 (with venv) and make
# make test   every check, the pages in Chromium among them
# make lock   renew the lock files after a change in pyproject.toml or package.json (UPGRADE=--upgrade for all)
# make clean  remove what was installed and fetched; the data in instance/ stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -p tests.setup.no_skips
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# What has no wheel is built with the locked build requirements: an isolated build would fetch unlocked ones.
NO_OTHERS := --no-build-isolation --use-pep517
CATALOGUES := $(wildcard panel/translations/*/LC_MESSAGES/*.po)
BROWSERS := chromium chromium-browser google-chrome
BROWSER_TESTS := $(wildcard tests/browser/test_*.py)
JOBS ?= 2

# On a laptop a test may be skipped for a missing browser or database; in CI never.
ifneq ($(filter-out 0 false,$(CI)),)
export PERENNIAL_NO_SKIP := 1
endif

.PHONY: run test lock clean browser
.DELETE_ON_ERROR:

# ARGS="--port 8080" and the like are passed on.
run: $(VENV)/.installed
	@exec $(BIN)/perennial serve --demo $(ARGS)

test: $(VENV)/.installed-for-tests browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) --numprocesses=$(JOBS) --dist=worksteal -m "not browser"
# One at a time: a page that waits for its turn on the processor looks like a page that doesn't answer.
ifneq ($(BROWSER_TESTS),)
	$(PYTEST) -m browser
endif

# A recipe is expanded before it runs, so that $(error) says what is missing in one line and nothing is begun.
$(VENV)/.made:
	$(if $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>&1 | grep -x True),,$(error \
		Perennial needs Python 3.11 or newer as $(PYTHON); name another with make PYTHON=python3.12))
	$(if $(shell $(PYTHON) -c 'import ensurepip, venv; print(True)' 2>&1 | grep -x True),,$(error \
		$(PYTHON) can make no virtual environments: install the package python3-venv (apt-get install python3-venv)))
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml hatch_build.py package-lock.json $(CATALOGUES) \
		requirements.txt requirements-build.txt requirements-npm.txt
	@echo "Installing Perennial into $(VENV) (once) …"
	@$(PIP) install --require-hashes -r requirements-build.txt
	@$(PIP) install --require-hashes $(NO_OTHERS) -r requirements.txt
	@test -z "$$($(BIN)/python hatch_build.py --missing)" || $(PIP) install --require-hashes -r requirements-npm.txt
	@$(PIP) install --no-deps $(NO_OTHERS) --editable .
	@touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed requirements-test.txt
	@echo "Installing what the tests need …"
	@$(PIP) install --require-hashes $(NO_OTHERS) -r requirements-test.txt
	@touch $@

browser:
	@for name in $(BROWSERS); do if command -v $$name > /dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo "Installing Chromium …"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null; \
	else \
		echo "No Chromium: install it (apt-get install chromium), or the tests of pages are left out."; \
	fi

UV ?= $(BIN)/uv
# Flask-Principal has no wheel and names no build requirements; pip builds such packages with setuptools.
BUILD_REQUIREMENTS = tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "setuptools"
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(UPGRADE)
lock: $(VENV)/.made
	@command -v $(UV) > /dev/null || $(PIP) install uv
	$(COMPILE) pyproject.toml --all-extras --output-file requirements-test.txt
	$(COMPILE) pyproject.toml --constraint requirements-test.txt --output-file requirements.txt
	$(BIN)/python -c 'import tomllib; print(*$(BUILD_REQUIREMENTS), sep="\n")' \
		| $(COMPILE) - --constraint requirements-test.txt --output-file requirements-build.txt
	sed -n 's/^NPM_REQUIREMENT = "\(.*\)"/\1/p' hatch_build.py \
		| $(COMPILE) - --output-file requirements-npm.txt
	npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

clean:
	rm -rf $(VENV) panel/static/vendor dist
	find panel -name '*.mo' -delete
