# make demo    the sample town, from its sources to the browser   (make demo SERVE=no does all but serve)
# make test    everything, on a process more than there are cores (four at most): unit, store, API, journeys, viewer in Chromium, notebooks
# make quick   what a change touches, in under two minutes: checks and the nearest tests; it says which and why
# make check   ruff, ruff format, mypy --strict, import floors
# make bundle  one archive in dist/ for machines without network: wheels, documents, licences, install.sh
# make bench   figures against named peers, as ratios of one run   (make bench ROWS=10000,100000,1000000: what grows with a town)
# make proof   what takes long: full corpora, soak, many kills

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= yes
TOWN ?= town
# One more than the cores, four at most: tests wait for servers, browsers and killed processes half of their time.
TESTERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$(( n < 3 ? n + 1 : 4 )))
CODE := twin_model ingest tiles api_config data_samples tests bundle setup.py

.PHONY: demo test quick check bundle bench proof viewer system clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# make /make /p' Makefile

$(VENV)/.ready: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

viewer/dist/index.html: viewer/package-lock.json viewer/package.json viewer/index.html $(shell find viewer/src viewer/public -type f 2>/dev/null)
	cd viewer && npm ci --no-audit --no-fund --loglevel=error && npm run build --silent
	touch $@

viewer: viewer/dist/index.html

tests/tiles/gltf_validator/node_modules/.ready: tests/tiles/gltf_validator/package-lock.json
	cd tests/tiles/gltf_validator && npm ci --no-audit --no-fund --loglevel=error
	touch $@

demo: $(VENV)/.ready viewer
	$(BIN)/twin --town $(TOWN) demo $(if $(filter no,$(SERVE)),--no-serve)

system:
	$(PYTHON) tests/system_packages.py

test: $(VENV)/.ready viewer tests/tiles/gltf_validator/node_modules/.ready system
	$(BIN)/python -m pytest -m "not proof" -n $(TESTERS) --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.ready
	$(BIN)/python tests/quick.py

check: $(VENV)/.ready
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

# BUNDLE_PYTHONS="3.12 3.13": Pythons that the bundle is for beside that of .venv
bundle: $(VENV)/.ready viewer
	$(BIN)/python bundle/make_bundle.py $(foreach python,$(BUNDLE_PYTHONS),--python $(python))

bench: $(VENV)/.ready
	$(PYTHON) tests/system_packages.py --bench
	$(BIN)/python tests/benchmarks/run.py $(if $(ROWS),--curve $(ROWS))

proof: $(VENV)/.ready viewer tests/tiles/gltf_validator/node_modules/.ready
	$(PYTHON) tests/system_packages.py --proof
	$(BIN)/python -m pytest

clean:
	rm -rf out viewer/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
