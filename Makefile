.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,\
	$(BIN)/python -m pip install --disable-pip-version-check) --quiet

## help        show this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo        make a video of the short sample, then cancel the long one
demo: .venv/ready
	@$(BIN)/refrain demo

## run         serve on this machine until Ctrl-C
run: .venv/ready
	@$(BIN)/refrain up

## test        run the tests, without the long ones
test: .venv/ready browser
	$(BIN)/pytest -m "not long and not faults"

## test-long   run the tests that take minutes
test-long: .venv/ready
	$(BIN)/pytest -m long

## test-faults cancel in every stage under every fault
test-faults: .venv/ready
	$(BIN)/pytest -m faults

## check       lint, types, imports and protos, in seconds
check: .venv/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/pyright

## format      format the code and the protos
format: .venv/ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format -w protos

## bench       measure, as ratios to floors of the same run
bench: .venv/ready
	$(BIN)/python -m bench

## lock        pin the newest versions that pyproject.toml allows
lock:
	uv pip compile pyproject.toml --all-extras --universal --upgrade --quiet \
		--generate-hashes --no-emit-index-url --no-annotate --no-header \
		--output-file requirements.lock

## protos      generate refrain/v1 from protos/
protos: .venv/ready

# Hundreds of processes import the same modules: one of them compiles them.
test test-long test-faults: export PYTHONDONTWRITEBYTECODE =

# Chromium for the tests of the page: where there is none, installed if we may.
BROWSER := $(or $(REFRAIN_CHROMIUM),$(shell command -v chromium \
	|| command -v chromium-browser || command -v google-chrome))
APT := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0

browser:
	@if [ "$(BROWSER)" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium"; \
		$(APT) update && $(APT) install --no-install-recommends \
			chromium fonts-dejavu-core fonts-noto-core >/dev/null \
		|| echo "Chromium could not be installed"; \
	else echo "No Chromium: the tests of the page are skipped"; fi

# Set up once, and again only when the lock, the build or a proto changed.
.venv/ready: .venv/locked $(wildcard protos/refrain/v1/*.proto)
	@echo "Generating refrain/v1"
	@rm -rf refrain/v1 && mkdir refrain/v1 && touch refrain/v1/__init__.py
	@$(BIN)/python -m grpc_tools.protoc --proto_path=protos \
		--plugin=$(BIN)/protoc-gen-mypy \
		--python_out=. --mypy_out=quiet:. \
		--descriptor_set_out=refrain/v1/descriptors.binpb --include_source_info \
		protos/refrain/v1/*.proto
	@$(BIN)/python -m grpc_tools.protoc --proto_path=protos \
		--plugin=$(BIN)/protoc-gen-mypy_grpc \
		--grpc_python_out=. --mypy_grpc_out=quiet:. \
		protos/refrain/v1/job_service.proto
	@touch $@

.venv/locked: requirements.lock pyproject.toml
	@echo "Setting up .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(INSTALL) --require-hashes --requirement requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help demo run test test-long test-faults check format bench lock protos browser
