# What one does with this repository. Every target installs what it needs first.

# dev builds quickly, release runs quickly: make dev PROFILE=release
PROFILE = dev
FOLDER = $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.PHONY: help setup build dev demo test lint clean

help: ## List the targets
	@echo "Bellringer: background tasks over gRPC, kept in PostgreSQL."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

setup: ## Install what is missing: C compiler, Rust, PostgreSQL's programs, jq
	@.ci/setup

build: setup ## Build the server bellringer and the command line bellctl
	.ci/cargo build --locked --profile $(PROFILE) --package bellringer-server --package bellringer-client
	@echo "built target/$(FOLDER)/bellringer and target/$(FOLDER)/bellctl"

dev: build ## Run a server with a private database until Ctrl-C
	@echo "bellctl is in target/$(FOLDER): export PATH=\"$(CURDIR)/target/$(FOLDER):\$$PATH\""
	@exec target/$(FOLDER)/bellringer dev

demo: ## Run real work on a throw-away server, check every outcome, leave nothing behind
	@tests/demo/demo

test: ## Run all tests, other languages and the examples of README.md included
	@.ci/test

lint: setup ## Check format and lints
	.ci/cargo fmt --all --check
	.ci/cargo lint

clean: ## Remove everything that was built or installed here
	rm -rf target .tools
