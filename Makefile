# The commands of the project. Everything installs into .venv; the pins are in requirements/.
.PHONY: serve quick test test-all test-repeat test-times image-test check chart proto docs scrape upgrade-drill drill-sessions bench drills quality defaults judging adaptive contract fuzz mutants peers tools train \
	requirements clean

# The first Python on the path that is new enough and can create virtual environments.
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PROTOC := ../$(BIN)/python -m grpc_tools.protoc -Inextchar/pb=../proto/nextchar/v1 -Inextchar/pb=../proto/inference
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --unsafe-package torch \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

serve: .venv/.serve
	@$(BIN)/nextchar serve --data-dir .data/serve

# The tests of a file run in one process, in order; files are shared out over the processors.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

# No test of these starts a process or opens a socket; a minute at most.
quick: .venv/.dev
	$(PYTEST) -m quick

# Everything that a change can break; five minutes at most on two cores.
test: .venv/.dev
	$(PYTEST) -m "quick or standard"

# Also the tests that drive programs of other people: a browser, clients, Helm, Prometheus, HAProxy; and drills.
test-all: .venv/.dev tools
	$(PYTEST)

# Runs `make test` N times beside a process that keeps one core busy, and stops at the first failure.
test-repeat: .venv/.dev
	cd tests && PYTHONPATH=. ../$(BIN)/python -m suite.repeat $(or $(N),20)

# Runs all tests and writes the table of folders in tests/README.md.
test-times: .venv/.dev tools
	$(PYTEST) --folder-times tests/README.md

# Builds the image and runs it, alone and as the chart deploys it; on Debian, as root.
image-test: .venv/.dev tools
	.ci/image-test

check: .venv/.dev
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	$(BIN)/python -m helm.chart --check

# Generates the chart's schema and the table of its values from helm/values.py and the server's settings.
chart: .venv/.dev
	$(BIN)/python -m helm.chart

proto: .venv/.dev
	cd server && $(PROTOC) --python_out=. --pyi_out=. --grpc_python_out=. nextchar/pb/nextchar.proto nextchar/pb/inference.proto
	cd server && $(PROTOC) --python_out=. --pyi_out=. nextchar/pb/onnx_part.proto

# Generates the pages and files that are defined in the code: settings, metrics, alerts, the blocking client.
docs: chart
	$(BIN)/python -m operations

# Runs a real Prometheus over a server under load, for two minutes.
scrape: .venv/.dev
	SCRAPE_SECONDS=120 $(BIN)/python -m pytest tests/system/operations/test_scrape.py

# Replaces and then kills three replicas behind HAProxy over Valkey, under load, with the chart's numbers.
upgrade-drill: .venv/.dev
	UPGRADE_ROUNDS=3 $(BIN)/python -m pytest -s tests/system/operations/test_upgrade.py

# Runs 5,000 operations on 200 sessions of two servers over one Valkey; then again while servers are killed.
drill-sessions: .venv/.dev
	DRILL_OPERATIONS=5000 DRILL_SESSIONS=200 DRILL_KILLS=12 $(BIN)/python -m pytest -s tests/system/drills/test_hopping.py

# Runs real servers through overload, bad clients, floods, a store that breaks and requests of the largest size, in
# twenty minutes; docs/overload.md and docs/hardening.md have the figures. The last one needs Linux and root.
drills: .venv/.dev
	$(BIN)/python -m benchmarks.drills --out benchmarks/results/drills.json

bench: .venv/.dev
	$(BIN)/python -m benchmarks

# Makes the quality table of a text: make quality FILE=tinyshakespeare.txt RECIPE=lstm SEED=1; about an hour.
quality: .venv/.dev
	@test -n "$(FILE)" || { echo "which text? make quality FILE=tinyshakespeare.txt"; exit 1; }
	$(BIN)/python -m benchmarks.quality "$(FILE)" --recipe $(or $(RECIPE),lstm) --seed $(or $(SEED),1)

# Trains `nextchar train FILE` on eight texts beside the 7-gram, for docs/training.md; two hours on a quiet machine.
defaults: .venv/.dev
	$(BIN)/python -m benchmarks.training --results benchmarks/results/defaults.json

# Makes the table of docs/judging.md from lists of generated domains: make judging FOLDER=lists; some minutes.
judging: .venv/.dev
	@test -n "$(FOLDER)" || { echo "which lists? make judging FOLDER=lists; docs/judging.md says what they are"; exit 1; }
	$(BIN)/python -m benchmarks.quality.judging "$(FOLDER)"

# Makes the tables of docs/adaptive.md, of two installed modules and of your texts, as MODEL:FILE or MODEL:FILE:FIRST:LAST:
# make adaptive TEXTS="tinyshakespeare:tinyshakespeare.txt:-111540: python:access.log".
adaptive: .venv/.dev
	$(BIN)/python -m benchmarks.engine.adaptive $(foreach text,$(TEXTS),--text $(text))

# Tests the OpenAPI document against a real server: all checks of schemathesis, some 10,000 cases.
contract: .venv/.dev tools
	cd tests && PYTHONPATH=.:system ../$(BIN)/python -m hardening.contract

# Fuzzes everything that parses input: atheris, guided by coverage, then a running server; 15 minutes.
fuzz: .venv/.dev tools
	cd tests && PYTHONPATH=.:system ../$(BIN)/python -m hardening.fuzz

# Changes the code in small ways and counts which changes the tests notice: make mutants PACKAGE=engine SAMPLE=300.
mutants: .venv/.dev tools
	cd tests && PYTHONPATH=.:system ../$(BIN)/python -m hardening.mutants $(or $(PACKAGE),engine) --sample $(or $(SAMPLE),300)

# Installs the servers that `make bench` measures beside ours, each in an environment of its own; a gigabyte each.
peers:
	@grep -v '^#' benchmarks/peers/peers.txt | while read -r name python packages; do \
		$$python -m venv .peers/$$name && .peers/$$name/bin/pip install --quiet $$packages && touch .peers/$$name/ok; done

# Installs third-party clients and tools, each in an environment of its own; tests run them as processes. A line
# "# pip: OPTIONS" in such a file sets options of its installation. A file .npm names packages of Node.
TOOLS := $(patsubst requirements/tools/%,.tools/%/.tried,$(basename $(wildcard requirements/tools/*.txt requirements/tools/*.npm)))
tools: $(TOOLS)
.tools/%/.tried: requirements/tools/%.txt .venv/.serve
	@echo "installing $* for tests into .tools/$*"
	@rm -rf .tools/$* && $(PYTHON) -m venv .tools/$*
	@if .tools/$*/bin/python -m pip install --quiet --disable-pip-version-check \
		$$(sed -n 's/^# pip: //p' $<) -r $<; then touch .tools/$*/.ok; \
		else echo "$* could not be installed; tests of it are skipped"; fi
	@touch $@
.tools/%/.tried: requirements/tools/%.npm
	@echo "installing $* for tests into .tools/$*"
	@rm -rf .tools/$* && mkdir -p .tools/$*
	@if npm install --prefix .tools/$* --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
		$$(sed 's/#.*//' $<) >/dev/null; then touch .tools/$*/.ok; \
		else echo "$* could not be installed; tests of it are skipped"; fi
	@touch $@

train: .venv/.dev
	$(BIN)/nextchar train shakespeare --cell lstm --hidden-size 512 --num-layers 2 --dropout 0.25 --max-minutes 70 --seed 1 --no-export

clean:
	rm -rf .venv .tools build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Serving alone, without torch and onnx. The package is installed in place, so the server runs the code here.
.venv/.serve: requirements/build.txt requirements/serve.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "nextchar needs Python 3.11 or newer with venv (Debian: apt install python3-venv)"; exit 1; }
	@echo "installing what serving needs into .venv"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --require-hashes -r requirements/build.txt -r requirements/serve.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# torch is installed separately and last: the right build depends on the machine, so it has no hash. Its
# dependencies are in train.txt and installed already. Python compiles what it imports; all of it takes 150 MB more.
.venv/.dev: .venv/.serve requirements/torch.txt requirements/train.txt requirements/dev.txt requirements/domains.txt
	@echo "installing what training, checks and tests need into .venv"
	@$(INSTALL) --no-compile --require-hashes -r requirements/train.txt -r requirements/dev.txt
	@$(INSTALL) --no-compile --require-hashes --no-deps -r requirements/domains.txt
	@$(INSTALL) --no-compile -r requirements/torch.txt
	@touch $@

# Compiles the pins from the requirements in pyproject.toml; each file agrees with those before it.
requirements: export CUSTOM_COMPILE_COMMAND = make requirements
requirements: .venv/.dev
	$(COMPILE) -o requirements/serve.txt pyproject.toml
	$(COMPILE) -c requirements/serve.txt -o requirements/build.txt requirements/build.in
	$(COMPILE) -c requirements/serve.txt -c requirements/build.txt -o requirements/kernels.txt requirements/kernels.in
	$(COMPILE) -c requirements/serve.txt --extra valkey --extra otel -o requirements/image.txt pyproject.toml
	$(COMPILE) -c requirements/serve.txt --extra train -o requirements/train.txt pyproject.toml
	$(COMPILE) -c requirements/train.txt -c requirements/build.txt -c requirements/image.txt --extra dev -o requirements/dev.txt pyproject.toml
