# The whole daily life: demo, test, test-postgres, check, format, bench, chaos, lock; dist and release. Needs python3 and make; the rest goes into .venv.
#
#   make test ARGS="tests/xero -k contact"     some tests
#   make test PYTHON=python3.12                another Python
PYTHON ?= python3
# Each with a broker and a database of its own. Tests mostly wait, so more of them than processors.
TEST_WORKERS ?= 4
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python -m
PIP_INSTALL := $(RUN) pip --quiet --disable-pip-version-check --no-input install --root-user-action=ignore

.PHONY: demo test test-postgres check format bench chaos lock dist release clean

demo: $(STAMP)
	$(RUN) consumer demo $(ARGS)

test: $(STAMP)
	$(RUN) pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The tests that touch the database, on the older versions that are promised: all of them on the oldest, and on the
# others those of the statements that differ between versions.
POSTGRES_15 := tests/database tests/settings/test_application.py tests/operations tests/projection/test_projection.py \
	tests/projection/test_rebuild.py tests/results/test_problems.py tests/results/test_retention.py \
	tests/results/test_retry.py tests/results/test_sync_log.py tests/sync/test_rules.py tests/xero/test_tokens.py \
	tests/export/test_export.py tests/cli/test_end_to_end.py
POSTGRES_BETWEEN := tests/database tests/operations/test_status.py tests/operations/test_verification.py \
	tests/results/test_retention.py tests/results/test_sync_log.py tests/sync/test_rules.py
test-postgres: $(STAMP)
	TEST_POSTGRES=15 $(MAKE) --no-print-directory test ARGS="$(POSTGRES_15)"
	TEST_POSTGRES=16 $(MAKE) --no-print-directory test ARGS="$(POSTGRES_BETWEEN)"
	TEST_POSTGRES=17 $(MAKE) --no-print-directory test ARGS="$(POSTGRES_BETWEEN)"

check: $(STAMP)
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) deptry consumer

format: $(STAMP)
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

bench: $(STAMP)
	$(RUN) tests.bench $(ARGS)

chaos: $(STAMP)
	$(RUN) tests.chaos $(ARGS)

# The lock files name versions and hashes, never a registry; the smaller ones take their versions from the largest.
LOCK := $(RUN) uv pip compile --system-certs --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" pyproject.toml
lock: $(STAMP)
	$(LOCK) $(LOCK_ARGS) --extra sandbox --group development --output-file requirements/development.txt
	$(LOCK) --constraint requirements/development.txt --extra sandbox --output-file requirements/sandbox.txt
	$(LOCK) --constraint requirements/development.txt --output-file requirements/runtime.txt

# The files of a release, in dist/.
dist: $(STAMP)
	$(RUN) tests.release dist

# The same of a commit that is one (CONTRIBUTING.md), and the image where a container engine answers.
release: $(STAMP)
	$(RUN) tests.release check
	$(RUN) tests.release dist
	@if docker info >/dev/null 2>&1; then \
		docker build $(BUILD_ARGS) --file deploy/image/Dockerfile --tag hearlink-xero:$$(git describe --exact-match | cut -c2-) .; \
	else \
		echo "No container engine answers here, so there is no image yet: build deploy/image/Dockerfile where one does."; \
	fi

# The stamp comes last: an installation that failed starts again.
$(STAMP): pyproject.toml requirements/development.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@rm -f $@
	@$(RUN) pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; }
	@echo "Installing the locked packages into $(VENV): one to three minutes the first time, and quiet until done ..."
	@$(PIP_INSTALL) --require-hashes -r requirements/development.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
