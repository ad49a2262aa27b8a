# `make help` lists what there is. Everything lives in .venv; nothing else of the machine is touched.

PYTHON ?= python3
# auto: compile, or install interpreted with a warning; require: compile or fail; skip: interpreted.
HEADWATER_EXT ?= auto
# More arguments for `make serve` (ARGS="--port 7000"), pytest (ARGS="-k xadd") and the benchmark.
ARGS ?=
# Tests that run side by side.
WORKERS ?= 2

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := $(shell find src -name '*.py' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.lua' -o -name py.typed)
SIDE_BY_SIDE := -n $(WORKERS) --dist worksteal
INSTALLED := .venv/installed-$(HEADWATER_EXT)
WHEEL = $(wildcard build/wheel/*.whl)
# An environment in which nothing was ever installed, and the only one of the machine on its PATH.
EMPTY := build/empty
ALONE := env -i PATH=$(CURDIR)/$(EMPTY)/bin HOME=$(CURDIR)/$(EMPTY)
INSTALLED_TESTS ?= tests/unit/test_build.py tests/unit/test_packaging.py tests/unit/embedded tests/unit/testing \
	tests/clients/test_redis_py.py tests/faults/test_lifecycle.py

.DEFAULT_GOAL := help
.PHONY: help build wheel dist dist-pure serve test test-compiled test-embedded test-pure test-installed test-slow test-checked lint format bench \
	bench-quick bench-record docs annotate clean
.DELETE_ON_ERROR:

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

build: $(INSTALLED) ## make .venv and install headwater in it, compiled

wheel: build ## the wheel for this Python and this machine, in ./dist
	@mkdir -p dist
	cp $(WHEEL) dist

dist: wheel dist-pure ## what can be made here of a release: wheel, pure wheel and source, in ./dist

dist-pure: .venv/group-build ## the source distribution, and the wheel without compiled modules
	@mkdir -p dist
	HEADWATER_EXT=skip $(BIN)/python -c 'from setuptools.build_meta import build_sdist; build_sdist("dist")' > /dev/null
	HEADWATER_EXT=skip $(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls -l dist

serve: build ## start the server on 127.0.0.1:6379, its data in ./data
	$(BIN)/headwater serve --dir ./data $(ARGS)

test: ## the whole test suite compiled, what compares with Redis embedded too, and all of it interpreted
	@$(MAKE) --no-print-directory test-compiled HEADWATER_EXT=require
	@$(MAKE) --no-print-directory test-embedded HEADWATER_EXT=require
	@$(MAKE) --no-print-directory test-pure HEADWATER_EXT=require

test-compiled: build .venv/group-test .venv/group-frameworks .venv/group-docs ## the test suite, compiled
	HEADWATER_PURE= HEADWATER_TEST_MODE=compiled $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow" $(ARGS)

test-embedded: build .venv/group-test ## what compares with a redis-server, with an embedded store in the server's place
	HEADWATER_PURE= HEADWATER_TEST_MODE=compiled HEADWATER_TEST_SUBJECT=embedded $(BIN)/python -m pytest \
		$(SIDE_BY_SIDE) -m "not slow" tests/parity $(ARGS)

test-pure: build .venv/group-test ## the test suite without the frameworks, interpreted
	HEADWATER_PURE=1 HEADWATER_TEST_MODE=interpreted $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not frameworks" $(ARGS)

test-installed: build .venv/group-test ## the wheel in an empty environment without a compiler, and tests of it there
	rm -rf $(EMPTY)
	$(PYTHON) -m venv --without-pip $(EMPTY)
	$(PIP) download --quiet --only-binary :all: --dest build/wheelhouse "$(WHEEL)[all]" --group test
	@$(ALONE) $(EMPTY)/bin/python -c 'import shutil; assert not any(map(shutil.which, ("cc", "gcc", "clang")))'
	$(ALONE) .venv/bin/python -m pip --disable-pip-version-check --python $(EMPTY) install --quiet --no-index \
		--find-links build/wheelhouse "$(WHEEL)[all]" --group test
	$(ALONE) HEADWATER_TEST_MODE=compiled $(EMPTY)/bin/python -m pytest -p no:cacheprovider $(SIDE_BY_SIDE) -m "not slow" \
		$(INSTALLED_TESTS) $(ARGS)

test-checked: .venv/group-build .venv/group-test ## the test suite, compiled to end at an access outside of a buffer
	@mkdir -p build/checked
	cp -ru src setup.py pyproject.toml README.md LICENSE build/checked
	cd build/checked && HEADWATER_CHECKED=1 HEADWATER_EXT=require ../../$(BIN)/python setup.py -q build_ext --inplace
	HEADWATER_PURE= HEADWATER_TEST_MODE=compiled PYTHONPATH=build/checked/src $(BIN)/python -m pytest \
		$(SIDE_BY_SIDE) -m "not slow and not frameworks" $(ARGS)

test-slow: build .venv/group-test .venv/group-frameworks ## the tests that take long, compiled
	HEADWATER_PURE= HEADWATER_TEST_MODE=compiled $(BIN)/python -m pytest -m slow $(ARGS)

lint: build .venv/group-test .venv/group-lint .venv/group-bench ## ruff, its format, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict -p bench

format: .venv/group-lint ## write the code as `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: build .venv/group-test .venv/group-bench ## compare with a redis-server, within 15 minutes
	$(BIN)/python -m bench $(ARGS)

bench-quick: build .venv/group-test .venv/group-bench ## the same with less data, within 2 minutes
	$(BIN)/python -m bench --quick $(ARGS)

bench-record: build .venv/group-test .venv/group-bench ## make bench, into README, docs and baseline
	$(BIN)/python -m bench --publish --save-baseline bench/baseline.json $(ARGS)

docs: build .venv/group-docs ## docs/commands.md and docs/configuration.md from the code, the site into build/site
	$(BIN)/python -m headwater.commands.reference > docs/commands.md
	$(BIN)/python -m headwater.cli.docs docs/configuration.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --clean

annotate: .venv/group-build ## HTML in build/annotated: which lines of compiled code cost Python
	HEADWATER_ANNOTATE=1 HEADWATER_EXT=require $(BIN)/python setup.py --name > /dev/null
	@find build/annotated -name '*.html'

clean: ## remove all that make has made; ./data stays
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
	find src tests bench -name __pycache__ -prune -exec rm -rf {} +
	find src -name '*.so' -delete

# --- how .venv comes about ---

.venv/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade "pip>=25.1"
	@touch $@

# Dependency groups of pyproject.toml, each installed once.
.venv/group-%: pyproject.toml .venv/created
	$(PIP) install --quiet --group $*
	@touch $@

.venv/group-frameworks: tests/clients/frameworks.txt .venv/group-test
	$(PIP) install --quiet --group frameworks --constraint $<
	@touch $@

# Installed from a wheel, not linked: what the tests run is what a user gets. pip builds in ./build,
# where all that has not changed is kept. After a failed compile (auto) the next make tries again.
$(INSTALLED): $(SOURCES) setup.py pyproject.toml README.md LICENSE | .venv/group-build
	@rm -f .venv/installed-*
	@rm -rf build/wheel
	HEADWATER_EXT=$(HEADWATER_EXT) $(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	$(PIP) install --quiet --force-reinstall --no-deps build/wheel/*.whl
	$(PIP) install --quiet "$$(ls build/wheel/*.whl)[all]"
	@HEADWATER_PURE= $(BIN)/headwater --version
	@if [ $(HEADWATER_EXT) = skip ] || HEADWATER_PURE= $(BIN)/headwater --version | grep -q compiled\); \
	then touch $@; else echo "$$NOT_COMPILED"; fi

define NOT_COMPILED
!!
!!  headwater is NOT COMPILED: it works, several times slower.
!!  `make build HEADWATER_EXT=require` shows what went wrong.
!!
endef
export NOT_COMPILED
