# Two commands do everything, set-up included: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

export GATEHOLD_CACHE ?= $(HOME)/.cache/gatehold
TARGET := $(or $(CARGO_TARGET_DIR),target)
WASM := $(TARGET)/gatehold.wasm
WASM_BUILT := $(TARGET)/wasm32-wasip1/release/gatehold_filter.wasm
# Built for the host, so that what the wasm tests run on needs no second toolchain.
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER := $(GATEHOLD_CACHE)/bin/wasm-bindgen-test-runner
# What is built for Envoy goes to others, so it tells nothing of where it was built; paths would also take room.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src= --remap-path-prefix=$(CURDIR)/=
PURE := gatehold-detect gatehold-engine gatehold-mcp gatehold-identity gatehold-wire
SUMMARY := tests/setup/summary.sh
# One selection of packages for all steps of `make test`, which differ only in the tests they run of it: with another
# selection cargo unifies other features and builds most dependencies again, in time and on disk.
CARGO_TEST := cargo test --locked --quiet --workspace
names = $(sort $(notdir $(basename $(1:%/main.rs=%))))
tests_of = $(call names,$(wildcard $(1:%=%/tests/*.rs) $(1:%=%/tests/*/main.rs)))
UNIT := $(call tests_of,filter/* control control/* tests/architecture tests/fuzz tests/hostsim tests/soak tests/harness)
ON_ENVOY := $(call tests_of,tests/e2e)
# A test program is chosen by its name, so a name in both lists would run twice.
$(if $(filter $(ON_ENVOY),$(UNIT)),$(error two crates name a test `$(filter $(ON_ENVOY),$(UNIT))`: rename one))
# What the tests start again and again needs no state of the last build, which would take as much space as the result.
test: export CARGO_INCREMENTAL ?= 0
STEP = @printf '\n\033[1m== %s\033[0m\n'

.PHONY: release-artifacts compat tally help setup build binaries wasm trap demo test fmt lint unit wasm-test hostsim console e2e e2e-wasmplugin hold-clients conformance image compose compose-test mesh kustomize-base manifests soak sse fuzz fuzz-build fuzz-real chaos deny advisories bench bench-peers bench-build bench-micro bench-wasm bench-detect bench-push bench-holds recall detectors counts release load clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## fetch what is missing (toolchain, Envoy, servers and clients), pinned, into a cache
	@tests/setup/setup.sh

wasm: setup ## build the filter: target/gatehold.wasm
	$(STEP) 'filter'
	@cargo build --locked --release --target wasm32-wasip1 -p gatehold-filter
	@cp $(WASM_BUILT) $(WASM).part && mv $(WASM).part $(WASM)
	@tests/setup/size.sh $(WASM) 2000000

trap: setup
	$(STEP) 'filter with a trap door, for the tests of worker reloads'
	@cargo build --locked --profile trap --features trap-for-tests --target wasm32-wasip1 -p gatehold-filter
	@cp $(TARGET)/wasm32-wasip1/trap/gatehold_filter.wasm $(TARGET)/gatehold-trap.wasm

build: wasm ## build the filter and control
	$(STEP) 'control'
	@cargo build --locked -p gatehold

binaries: wasm # what the tests on Envoy run; control comes with the programs that test it
	$(STEP) 'control'
	@$(CARGO_TEST) --no-run --test commands

demo: build ## a real agent, a real server, a real Envoy: see calls being decided (ONCE=1 ends after the scenario)
	$(STEP) 'demo'
	@cargo run --locked --quiet -p gatehold-demo -- $(if $(ONCE),--once)

test: tally fmt lint deny unit fuzz-build wasm-test binaries mesh console e2e e2e-wasmplugin conformance ## everything that must hold
	@$(SUMMARY)

tally:
	@rm -f $(TARGET)/test-summary

fmt: setup
	$(STEP) 'format'
	@cargo fmt --all --check

lint: setup
	$(STEP) 'lints'
	@cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	@cargo clippy --locked --quiet --target wasm32-wasip1 -p gatehold-filter -- -D warnings

deny: setup
	$(STEP) 'licenses, sources, bans'
	@$(GATEHOLD_CACHE)/bin/cargo-deny --log-level error check bans licenses sources

advisories: setup ## ask the RustSec database about our dependencies (needs its network)
	@$(GATEHOLD_CACHE)/bin/cargo-deny check advisories

unit: setup ## pure crates, control, the adapter on a fake host
	$(STEP) 'unit, property and corpus tests; the adapter on the fake host'
	@$(SUMMARY) run $(CARGO_TEST) --lib --bins $(UNIT:%=--test %)
	@$(SUMMARY) run $(CARGO_TEST) --doc

wasm-test: setup ## the pure crates once more, in wasm32 under Node
	$(STEP) 'pure crates in wasm32'
	@$(SUMMARY) run cargo test --locked --target wasm32-unknown-unknown $(PURE:%=-p %) --test wasm

console: binaries ## the console in a real browser, and from a terminal; screenshots in target/console-screenshots
	$(STEP) 'console in a browser'
	@$(SUMMARY) run $(CARGO_TEST) $(patsubst %,--test %,$(call tests_of,tests/console))

e2e: binaries trap ## end to end on real Envoy with real servers and clients
	$(STEP) 'end to end on Envoy'
	@$(SUMMARY) run $(CARGO_TEST) $(ON_ENVOY:%=--test %)

# Those in which it matters most; `bootstrap` and `size` have nothing to do with it.
# Those that are about set-ups of their own, or about no Envoy at all.
OWN_SETUP := bootstrap compat misconfigured rollout size
WASMPLUGIN ?= batches denials fidelity hostile identity lists streams
e2e-wasmplugin: binaries ## the end-to-end tests as an Istio WasmPlugin sets the filter up (WASMPLUGIN=all for all of them)
	$(STEP) 'end to end on Envoy, as a WasmPlugin'
	@CARGO_TEST='$(CARGO_TEST)' $(SUMMARY) run tests/e2e/wasmplugin.sh $(if $(filter all,$(WASMPLUGIN)),$(filter-out $(OWN_SETUP),$(ON_ENVOY)),$(WASMPLUGIN))

HOLD_DELAYS ?= 5,40,120
hold-clients: build ## stock clients make calls that wait for a person, for HOLD_DELAYS (default 5,40,120) seconds: the table of the README
	$(STEP) 'stock clients and calls that wait'
	@GATEHOLD_HOLD_DELAYS=$(HOLD_DELAYS) cargo test --locked --quiet -p gatehold-e2e --test hold_clients

bench: bench-build ## what Envoy costs per request with and without the filter, side by side (BENCH='--quick', BENCH='--case call-2k')
	@$(BENCH_ENVOY) $(BENCH)

bench-peers: bench-build ## the same with other gateways beside it, which it installs
	@$(BENCH_ENVOY) --peers "$$(benches/envoy/peers.sh)" $(BENCH)

BENCH_ENVOY = GATEHOLD_BIN=$(abspath $(TARGET))/release/gatehold $(TARGET)/load/gatehold-bench-envoy --wasm $(WASM) \
	--empty $(TARGET)/wasm32-wasip1/release/gatehold_bench_empty.wasm

bench-build: wasm release
	$(STEP) 'bench through Envoy'
	@cargo build --locked --release --target wasm32-wasip1 -p gatehold-bench-empty
	@cargo build --locked --profile load -p gatehold-bench-envoy

release: setup
	$(STEP) 'control, optimized'
	@cargo build --locked --release -p gatehold

bench-push: release ## a real control against 1,000 simulated Envoys: time to the last acknowledgement, memory, bytes (PUSH='--quick')
	$(STEP) 'bench of the push'
	@cargo build --locked --profile load -p gatehold-bench-push
	@$(TARGET)/load/gatehold-bench-push --control $(TARGET)/release/gatehold $(PUSH)

bench-holds: release wasm ## 10,000 calls that wait at once: memory per call, time from click to upstream (HOLDS='--holds 1000')
	$(STEP) 'bench of calls that wait'
	@cargo build --locked --profile load -p gatehold-bench-holds
	@GATEHOLD_BIN=$(abspath $(TARGET))/release/gatehold $(TARGET)/load/gatehold-bench-holds $(HOLDS)

recall: setup ## how much of what is labelled as attack in DATA (a folder of .jsonl) is found, in sources not learnt from
	@cargo run --locked --quiet --profile load -p gatehold-bench-recall -- cross $(DATA)

detectors: setup ## learn the weights that ship from DATA, and write them where they are built in
	@cargo run --locked --quiet --profile load -p gatehold-bench-recall -- train $(DATA) control/detectors/rules/weights.tsv control/detectors/rules/frequency.tsv

bench-micro: setup ## every hot function by itself, and decisions with 10 and 10,000 rules
	@CRITERION_HOME=$(abspath $(TARGET))/criterion cargo bench --locked -p gatehold-bench-micro

bench-wasm: setup ## every hot function natively and in WebAssembly under Node, side by side
	@CRITERION_HOME=$(abspath $(TARGET))/criterion cargo bench --locked -p gatehold-bench-micro --bench hot
	@CRITERION_HOME=$(abspath $(TARGET))/criterion CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $(CURDIR)/benches/micro/wasi.mjs" \
		cargo bench --locked --target wasm32-wasip1 -p gatehold-bench-micro --bench hot

DATA ?=
bench-detect: setup ## how fast detection reads, natively and in WebAssembly under Node: made-up texts, or those of DATA=FOLDER with *.jsonl; SEARCH=SECONDS looks for slow ones
	$(STEP) 'detection, natively'
	@cargo run --locked --quiet --release -p gatehold-bench-detect -- $(abspath $(DATA)) $(if $(SEARCH),--search $(SEARCH))
	$(if $(SEARCH),,$(STEP) 'detection, in WebAssembly')
	@$(if $(SEARCH),,CRITERION_HOME=$(abspath $(TARGET))/criterion DATA=$(abspath $(DATA)) \
		CARGO_TARGET_WASM32_WASIP1_RUNNER="node --no-warnings $(CURDIR)/benches/micro/wasi.mjs" \
		cargo run --locked --quiet --release --target wasm32-wasip1 -p gatehold-bench-detect -- $(abspath $(DATA)))

counts: setup ## instructions, host calls, copies and allocations against benches/instructions.txt (CHECK=1 only compares, CASE=call-2k profiles)
	$(STEP) 'instructions'
	@RUSTFLAGS='--cfg curve25519_dalek_backend="serial" --cfg sha2_backend="soft"' CARGO_PROFILE_BENCH_DEBUG=line-tables-only \
		cargo build --locked --profile bench -p gatehold-bench-instructions
	@$(TARGET)/release/counts $(if $(CHECK),--check) $(if $(CASE),--profile $(CASE))

load: release ## everything in containers under mixed traffic for LOAD_MINUTES (default 5) at LOAD_RATE a second (default 300)
	$(STEP) 'filter with a trap door, load generator'
	@cargo build --locked --release --features trap-for-tests --target wasm32-wasip1 --target-dir $(TARGET)/trapped -p gatehold-filter
	@cargo build --locked --profile load -p gatehold-soak
	$(STEP) 'load'
	@GATEHOLD_BIN=$(abspath $(TARGET))/release/gatehold \
	GATEHOLD_WASM=$(abspath $(TARGET))/trapped/wasm32-wasip1/release/gatehold_filter.wasm \
		$(TARGET)/load/gatehold-soak --place either --reloads --minutes $(or $(LOAD_MINUTES),5) --rate $(or $(LOAD_RATE),300) \
		$(if $(LOAD_SEED),--seed $(LOAD_SEED)) --report $(TARGET)/load/report.json

conformance: binaries ## the official MCP conformance suite, directly and through the filter, compared check by check
	@tests/setup/setup.sh --quiet --conformance
	$(STEP) 'conformance, directly and through the filter'
	@$(SUMMARY) run $(CARGO_TEST) $(patsubst %,--test %,$(call tests_of,tests/conformance))

IMAGES := $(TARGET)/images
IMAGE_PREFIX ?= gatehold
compose compose-test: export GATEHOLD_PREFIX := $(IMAGE_PREFIX)
image: wasm release ## OCI images of the module, control and the demo in target/images; loaded where a Docker engine answers
	$(STEP) 'images'
	@python3 envoy/images/build.py --wasm $(WASM) --control $(TARGET)/release/gatehold --out $(IMAGES) --prefix $(IMAGE_PREFIX) --demo
	@if docker version >/dev/null 2>&1; then \
		for name in filter control demo-envoy demo-servers; do docker load --quiet --input $(IMAGES)/$$name.tar; done; \
	else echo 'no Docker engine answers: the archives are in $(IMAGES), for `docker load`, `skopeo` or `crane`'; fi

compose: image ## all of it in containers, at http://127.0.0.1:10000 and http://127.0.0.1:18002, until Ctrl-C
	@$$(docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) -p gatehold -f envoy/compose/compose.yaml up

compose-test: image ## the demo's scenario against those containers (needs a Docker engine)
	$(STEP) 'the demo in containers'
	@$(SUMMARY) run python3 tests/mesh/run.py tests/mesh/compose

# What is tested of images is how they are put together, so the control of the tests will do: MESH_CONTROL names another.
MESH_CONTROL ?=
mesh: binaries ## manifests against published schemas, the chart as Helm and kustomize render it, the layouts of images, releases
	@tests/setup/setup.sh --quiet --mesh
	$(STEP) 'manifests, chart, images, releases'
	@mkdir -p $(TARGET)/mesh && strip -o $(TARGET)/mesh/gatehold $(or $(MESH_CONTROL),$(TARGET)/debug/gatehold)
	@python3 envoy/images/build.py --wasm $(WASM) --control $(TARGET)/mesh/gatehold --out $(TARGET)/mesh/images >$(TARGET)/mesh/images.log
	@. tests/setup/tools.env && GATEHOLD_IMAGES=$(abspath $(TARGET))/mesh/images GATEHOLD_WASM=$(abspath $(WASM)) GATEHOLD_BIN=$(abspath $(TARGET))/mesh/gatehold \
		$(SUMMARY) run $$GATEHOLD_PYTHON_MESH tests/mesh/run.py tests/mesh

kustomize-base: # the base again, after a change of the chart
	@tests/setup/setup.sh --quiet --mesh
	@. tests/setup/tools.env && { echo '# Rendered from the chart: `make kustomize-base` writes it, and a test says when it is stale.'; \
		$$GATEHOLD_HELM template gatehold envoy/helm/gatehold --namespace gatehold --set documentsConfigMap=gatehold-documents | grep -v '^# Source'; } > envoy/kustomize/base/control.yaml

manifests: ## the manifests of envoy/ for REGISTRY=host/folder and DIGEST=sha256:… of the pushed module, in target/manifests
	@python3 envoy/images/manifests.py --registry '$(REGISTRY)' --digest '$(DIGEST)' --out $(TARGET)/manifests

DIST := dist
release-artifacts: image ## what a release is made of in DIST (default dist), with checksums, signed by KEY (an OpenSSH key)
	$(STEP) 'release'
	@python3 envoy/release/build.py --wasm $(WASM) --control $(TARGET)/release/gatehold --images $(IMAGES) --key '$(KEY)' --out $(DIST)

OLD := f760c4c
compat: binaries ## this filter under the control of 0.1, which is built from the history
	$(STEP) 'control of 0.1'
	@mkdir -p $(TARGET)/compat/source && git archive $(OLD) | tar -x -C $(TARGET)/compat/source
	@cd $(TARGET)/compat/source && env -u CARGO_TARGET_DIR CARGO_INCREMENTAL=0 cargo build --locked --quiet -p gatehold
	$(STEP) 'this filter under it, and that filter under this control'
	@GATEHOLD_OLD_CONTROL=$(abspath $(TARGET))/compat/source/target/debug/gatehold $(CARGO_TEST) --features gatehold-e2e/old-control --test compat

soak: build ## mixed traffic with aborts, resets, restarts and pushes for SOAK_MINUTES (default 10)
	$(STEP) 'soak'
	@cargo run --locked --quiet -p gatehold-soak -- --minutes $(or $(SOAK_MINUTES),10) $(if $(SOAK_SEED),--seed $(SOAK_SEED)) $(if $(SOAK_RATE),--rate $(SOAK_RATE))

sse: build ## how much later events of a stream arrive through the filter than directly
	$(STEP) 'delay of events'
	@cargo run --locked --quiet -p gatehold-soak -- --sse

fuzz-build: setup
	$(STEP) 'fuzz targets'
	@tests/fuzz/fuzz.sh check

fuzz: setup ## every fuzz target for FUZZ_SECONDS (default 60), or only TARGET=differential; FUZZ_JOBS processes each
	$(STEP) 'fuzz targets'
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) FUZZ_JOBS=$(or $(FUZZ_JOBS),1) tests/fuzz/fuzz.sh run $(if $(filter command,$(origin TARGET)),$(TARGET))

fuzz-real: setup ## FUZZ_INPUTS accepted bodies (default 200000), as Node and CPython read them
	$(STEP) 'the filter against Node and CPython'
	@FUZZ_INPUTS=$(or $(FUZZ_INPUTS),200000) FUZZ_SEED=$(or $(FUZZ_SEED),1) cargo test --locked --quiet --profile chaos -p gatehold-fuzz --test real -- --nocapture

chaos: setup ## the filter in a storm of failing host calls and odd events for CHAOS_SECONDS (default 60)
	$(STEP) 'chaos on the simulated host'
	@$(if $(CHAOS_SEED),CHAOS_SEED=$(CHAOS_SEED),CHAOS_SECONDS=$(or $(CHAOS_SECONDS),60)) cargo test --locked --quiet --profile chaos -p gatehold-hostsim --test it storm -- --nocapture

clean: ## remove what was built (the cache stays)
	@cargo clean
