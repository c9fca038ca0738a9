# Two commands are enough for a new user: `make demo` and `make test`.  `make` lists the others.

RUN := .venv/bin/python
GENERATORS := fixtures/generate.py tools/selftest_answers.py
N ?= 20000
SIZE ?=
ARGS ?=
SECONDS_GUIDED ?= 120
SECONDS_EVIDENCE ?= 120
# unit tests that need no whole kit and no other program
QUICK := tests/unit/kit/spec tests/unit/kit/keys tests/unit/kit/container tests/unit/kit/sources \
	tests/unit/verifier/core
UPGRADE ?=
# one more worker than there are cores: some wait, for a disk or for a program
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1)))
# tests start Python thousands of times: each start would compile everything anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo audit-demo audit-picture lnm-image lnm-full lnm-site test test-long check check-fast static lint types fresh fix bench vectors docs fuzz fuzz-bundles fuzz-evidence bare hosts offline repro \
	big lock venv clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: venv ## Build the LNM kit, verify it without a network, then watch three bad copies fail
	$(RUN) tools/demo.py

audit-demo: venv ## Audit the LNM kit into one page, build/demo/audit.html
	$(RUN) tools/audit_demo.py

audit-picture: venv ## The same, and the picture of it in the docs (needs Chromium, node, npm ci)
	$(RUN) tools/audit_demo.py --picture

lnm-image: venv ## Lock the full LNM kit, build its runner image twice without a network, and run it
	$(RUN) tools/lnm.py image

lnm-full: venv ## The same, then SBOMs, and the whole kit twice, compared and judged
	$(RUN) tools/lnm.py full

.PHONY: lnm
lnm: venv lnm-servers ## The whole release plan with real servers: sources, bucket, sites, audit; ends in a page
	$(RUN) tools/lnm_plan.py $(ARGS)

lnm-site: venv lnm-servers ## Do the LNM plan at a site on loopback: staging, production, alert, kill, way back, evidence
	$(RUN) tools/lnm_site.py $(ARGS)

test: venv ## Test every behaviour, on all cores; ARGS='-k names -x' is handed to pytest
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m 'not long' $(ARGS)

test-long: venv ## The long runs: real servers, kills at every call, drills, every page of the docs
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal -m long $(ARGS)

check-fast: lint types ## Under a minute, for the inner loop: lint, types, the laws and the quick unit tests
	$(RUN) -m pytest -q -n auto --dist worksteal -m 'not slow' tests/architecture $(QUICK) $(ARGS)

check: static test test-long bare ## All that a change must pass: lint, types, fresh files, tests, bare Pythons

static: lint types fresh

lint: venv
	@$(RUN) -m ruff check . && $(RUN) -m ruff format --check . || \
		{ echo "lint: run 'make fix', then mend by hand what is left" >&2; exit 1; }

types: venv
	$(RUN) -m mypy
	@for folder in fixtures/lnm/migrations/*/ fixtures/lnm/seeds/*/ fixtures/lnm/rollout/; do \
		(cd "$$folder" && "$(CURDIR)/$(RUN)" -m mypy --config-file "$(CURDIR)/pyproject.toml" \
			--cache-dir "$(CURDIR)/.mypy_cache/$$(basename "$$folder")" .) || exit 1; \
	done

fresh: venv
	@for script in $(GENERATORS); do \
		$(RUN) $$script --check || { echo "fresh: $$script is not content; run 'make vectors' and" \
			"read the difference before you commit it" >&2; exit 1; }; \
	done

fix: venv ## Repair what ruff can repair, and format
	@status=0; $(RUN) -m ruff check --fix . || status=$$?; $(RUN) -m ruff format .; exit $$status

bench: venv ## Compare with the limits and with what people do by hand; SIZE=small is quick
	$(RUN) tests/bench/run.py $(if $(SIZE),--size $(SIZE))

vectors: venv ## Write the generated fixtures again
	@for script in $(GENERATORS); do $(RUN) $$script --write || exit 1; done

docs: venv ## Run the commands of the docs again, and write what follows from the sources
	$(RUN) tools/docs.py --write

fuzz: venv ## Damage a whole kit N times (N=20000) and see every copy refused; odd frames too
	$(RUN) tests/hostile/fuzz.py --runs $(N)
	$(RUN) tests/hostile/fuzz_decoders.py --runs $$(($(N) / 10))

fuzz-bundles: venv ## Make every small change to sigstore bundles of each kind and see it refused
	$(RUN) tests/hostile/bundle_fuzz.py

fuzz-evidence: venv ## Mutate evidence of each form for two minutes: nothing but answers may come out
	$(RUN) tests/hostile/fuzz_evidence.py --seconds $(SECONDS_EVIDENCE)

.PHONY: fuzz-guided
fuzz-guided: ## The same by coverage, with atheris, which is installed in build/atheris
	@if [ build/atheris/.installed -nt requirements/atheris.txt ] || { \
		tools/venv.sh build/atheris requirements/atheris.txt && touch build/atheris/.installed; }; then \
		build/atheris/bin/python tests/hostile/fuzz_guided.py build/fuzz-guided \
			-max_total_time=$(SECONDS_GUIDED) -artifact_prefix=build/fuzz-guided- -print_final_stats=1; \
	elif [ -n "$(OFFLINE_KIT_REQUIRE_JUDGES)" ]; then exit 1; \
	else echo "fuzz-guided: not run: atheris cannot be installed for this Python"; fi

bare: venv ## Run the verifier on every Python from 3.9 on this machine, with nothing installed
	$(RUN) tests/bare/run.py

hosts: venv ## Run the core of the suite on a host that lacks what Windows lacks
	$(RUN) tests/hosts/run.py

offline: venv ## Run every test in a network namespace that has no network
	unshare --net --map-root-user $(RUN) -m pytest $(ARGS)

repro: venv ## Build the same kit in many surroundings and compare the bytes
	$(RUN) tests/repro/run.py

big: venv ## Build and verify members above 4 GiB and 8 GiB (needs disk space and minutes)
	$(RUN) tests/big/run.py

.PHONY: package
package: venv ## Build wheel and sdist, install each where nothing else is, and make a kit with it
	$(RUN) tools/package.py

.PHONY: release-image
release-image: venv ## Build a container image for release hosts, and make a kit in it without a network
	$(RUN) tools/release_image.py

.PHONY: seaweedfs
seaweedfs: build/seaweedfs/.installed ## Install the object store that tests publish to, in build/seaweedfs

build/seaweedfs/.installed: requirements/seaweedfs.txt tools/venv.sh
	@tools/venv.sh build/seaweedfs requirements/seaweedfs.txt
	@touch $@

.PHONY: lnm-servers
lnm-servers: seaweedfs build/lnm-servers/.installed ## Install the database and the object store that LNM is tried against

build/lnm-servers/.installed: requirements/lnm-servers.txt requirements/lnm-driver.txt \
		tools/lnm_servers.sh tools/venv.sh
	@tools/lnm_servers.sh
	@touch $@

.PHONY: mongosh
mongosh: tests/lnm/js/node_modules/.installed ## Install the shell that rolls 21-102 back without Python (npm)

tests/lnm/js/node_modules/.installed: tests/lnm/js/package-lock.json
	@npm --prefix tests/lnm/js ci --ignore-scripts --omit=optional --no-audit --no-fund
	@touch $@

lock: ## Write requirements/*.txt again; UPGRADE=--upgrade takes newer versions
	@tools/lock.sh $(UPGRADE)

clean: ## Remove everything that can be made again
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find kit verifier tests tools -name __pycache__ -prune -exec rm -rf {} +

venv: .venv/.installed

# The lock is the only thing that decides what is installed; with it unchanged nothing runs.
.venv/.locked: requirements/dev.txt tools/venv.sh
	@tools/venv.sh .venv requirements/dev.txt
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(RUN) -I -m pip --disable-pip-version-check --quiet install --no-index --no-build-isolation --no-deps --editable .
	@touch $@
