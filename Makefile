# What can be asked of this repository. `make run` and `make test` fetch what they need themselves.

CARGO := cargo
HEADING = @printf '\n\033[1m== %s\033[0m\n'
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
# Packet sockets and raw sockets for SIPp and the tap, without asking for root.
OWN_LOOPBACK := CARGO_TARGET_$(HOST)_RUNNER=$(CURDIR)/scripts/own-loopback
# A test that waits for ever is named, and takes no more than this with it; four times as long as
# these take on two cores.
WATCHED := CARGO_TARGET_$(HOST)_RUNNER='$(CURDIR)/scripts/watched 1500'
WATCHED_LOOPBACK := CARGO_TARGET_$(HOST)_RUNNER='$(CURDIR)/scripts/watched 2400 $(CURDIR)/scripts/own-loopback'
# A property that does not hold is told after a minute, if not with the smallest example.
export PROPTEST_MAX_SHRINK_TIME ?= 60000
# Scenarios mostly wait for sound to be played; the measured ones take the machine for themselves.
SCENARIOS_AT_ONCE := 4
# gungraun wants its runner by name; `scripts/set-up counts` builds it once.
COUNTS_RUNNER := GUNGRAUN_RUNNER=$(CURDIR)/target/tools/bin/gungraun-runner
# Our own crate optimised inside the dev profile, so that dependencies are those of all other tests
# and only we are compiled twice.
COUNTED := opt-level=2 codegen-units=16 debug-assertions=false overflow-checks=false
# Seconds of each target, and the seed.
FUZZ := FUZZ_SECONDS=$${FUZZ_SECONDS:-300} FUZZ_SEED=$${FUZZ_SEED:-$$(date +%s)}

.NOTPARALLEL:
.PHONY: help run test bench demo soak fuzz
.PHONY: tools-to-build tools-to-test tools-to-count format lint unit house scenarios counts pages

help:
	@printf '%s\n' \
	  'make run    build the switch and serve the demo office (config/)' \
	  'make test   everything CI checks: format, lints, tests, scenarios, docs' \
	  'make demo   watch one call go through, and listen to its recording' \
	  'make bench  figures of a release build' \
	  'make counts instructions of single decisions, held by limits (part of make test)' \
	  'make fuzz   five minutes of mutated input or operations a target, new seed' \
	  'make soak   rounds of load, ten minutes of a contact centre, 100,000 histories of the router'

run: tools-to-build
	$(CARGO) run --locked -- serve

test: tools-to-test format lint unit house scenarios counts pages
	$(HEADING) 'all of it passed'

demo: tools-to-build
	$(CARGO) build --locked
	target/debug/tsunagu demo

bench: tools-to-build
	$(CARGO) build --locked --release
	$(CARGO) bench --locked --bench bench
	$(CARGO) bench --locked --bench expression

fuzz: tools-to-build
	$(FUZZ) $(CARGO) test --locked --profile fuzz --lib fuzz_ -- --nocapture
	$(FUZZ) $(CARGO) test --locked --profile fuzz --test simulation fuzz:: -- --nocapture

soak: tools-to-test
	SCENARIO_ROUNDS=$${SCENARIO_ROUNDS:-20} $(OWN_LOOPBACK) \
	  $(CARGO) test --locked --release --test scenarios load:: -- --nocapture
	SCENARIO_CALLS=$${SCENARIO_CALLS:-900} $(OWN_LOOPBACK) \
	  $(CARGO) test --locked --release --test scenarios sipp_centre:: -- --nocapture
	SCENARIO_MESSAGES=$${SCENARIO_MESSAGES:-200} SCENARIO_KILLS=$${SCENARIO_KILLS:-20} $(OWN_LOOPBACK) \
	  $(CARGO) test --locked --release --test scenarios mail:: -- --nocapture
	PROPTEST_CASES=$${PROPTEST_CASES:-100000} \
	  $(CARGO) test --locked --profile fuzz --lib router::properties
	BENCH_SECONDS=$${BENCH_SECONDS:-600} $(CARGO) bench --locked --bench bench -- centre

tools-to-build:
	@scripts/set-up build

tools-to-test:
	@scripts/set-up build test

tools-to-count:
	@scripts/set-up build counts

format:
	$(HEADING) 'format'
	$(CARGO) fmt --check

lint:
	$(HEADING) 'lints'
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit:
	$(HEADING) 'units'
	FUZZ_SECONDS=4 $(WATCHED) $(CARGO) test --locked --lib --bins
	$(HEADING) 'the whole switch on a virtual clock; mutated input, fixed seed'
	FUZZ_SECONDS=4 $(WATCHED) $(CARGO) test --locked --test simulation

house:
	$(HEADING) 'the house'
	$(CARGO) test --locked --test house

scenarios:
	$(HEADING) 'scenarios: the real binary, judged by SIPp, baresip and linphone'
	$(WATCHED_LOOPBACK) $(CARGO) test --locked --test scenarios -- \
	  --test-threads=$(SCENARIOS_AT_ONCE)

counts: tools-to-count
	$(HEADING) 'instructions, counted by callgrind'
	CARGO_INCREMENTAL=0 $(COUNTS_RUNNER) $(CARGO) bench --locked --profile dev --bench counts \
	  $(addprefix --config profile.dev.package.tsunagu.,$(COUNTED))

pages:
	$(HEADING) 'documentation'
	$(CARGO) test --locked --doc
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps
