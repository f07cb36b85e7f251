# The commands a person must know. Each one installs what it needs first; see scripts/setup.

TARGET := $(or $(CARGO_TARGET_DIR),target)
BENCH_PROFILE ?= quick

.DEFAULT_GOAL := help
.PHONY: help run test bench bench-full golden lint ui

help: ## Shows this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Builds and starts the demo: the server, the fraud services and their traffic
	@scripts/setup run
	@scripts/build-ui
	cargo build --workspace --bins --locked
	exec $(TARGET)/debug/trefoil demo $(ARGS)

test: ## Builds and runs all tests; the last line is the sum. ARGS=crash runs only those
	@scripts/test $(ARGS)

bench: ## Measures speed and size on a small set, under two minutes after the build
	@scripts/bench small

bench-full: ## The same on 10 million rows, as in bench/RESULTS.md
	@scripts/bench full

golden: ## Makes the detectors' reference numbers again, by the Python libraries they come from
	test -x target/venv-golden/bin/python || python3 -m venv target/venv-golden
	target/venv-golden/bin/pip install -q -r crates/mlmon/testdata/requirements.txt
	cd crates/mlmon/testdata && ../../../target/venv-golden/bin/python golden.py

lint: ## Format, clippy, rustdoc, dependency policy, types and lints of the UI
	@scripts/lint

ui: ## Builds the UI into web/dist
	@scripts/setup run
	@scripts/build-ui
