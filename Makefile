# What a developer runs. "make" alone lists the targets.

GO     ?= go
GOTOOL := $(GO) tool -modfile=internal/tools/go.mod
GOFMT  := $(shell $(GO) env GOROOT)/bin/gofmt

# The race detector needs a C compiler; go env knows whether there is one.
RACE ?= $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# The broker of test-real: its version (as in internal/realkafka/pom.xml) and
# the directory that holds its jars in libs. An unpacked Apache Kafka fits too.
KAFKA_VERSION := 4.4.0
KAFKA_HOME    := $(or $(BANKIMPORT_TEST_KAFKA_HOME),$(CURDIR)/.cache/kafka)
KAFKA_JAR     := $(KAFKA_HOME)/libs/kafka_2.13-$(KAFKA_VERSION).jar

# Where test-real has a single broker from: docker, jars, or real: Docker where
# an engine answers, else the jars. The image that kafka-image builds is used when
# BANKIMPORT_TEST_KAFKA_IMAGE names it.
KAFKA_ON    := $(or $(filter docker jars,$(BANKIMPORT_TEST_KAFKA)),real)
KAFKA_IMAGE := $(or $(BANKIMPORT_TEST_KAFKA_IMAGE),bankimport-test-kafka:$(KAFKA_VERSION))

# Tests that only make sense on a real broker have this build tag. Whatever
# reads the code without running it sees them too.
TAGS := -tags=realkafka

IMAGE   ?= bankimport
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: dev
dev: build ## run everything in one process, with an embedded Kafka and a simulated provider
	bin/bankimport dev

.PHONY: test
test: ## run the tests; needs only Go
	$(GO) test $(RACE) -timeout=15m ./...

.PHONY: test-real
test-real: kafka-jars ## run the end-to-end tests on a real Kafka (needs Java, Maven, kcat; takes Docker where it answers)
	BANKIMPORT_TEST_KAFKA=$(KAFKA_ON) BANKIMPORT_TEST_KAFKA_HOME=$(KAFKA_HOME) \
		$(GO) test $(TAGS) -v -count=1 -p=2 -timeout=15m ./pipeline/ ./internal/realkafka/... ./internal/topics/... ./internal/e2e/...

# Tests that hold client and simulator against the provider's own documents, which
# are not ours to copy: BANKIMPORT_TEST_SPECS names their folder.
.PHONY: test-specs
test-specs: ## test against the provider's OpenAPI documents (needs BANKIMPORT_TEST_SPECS)
	@test -n "$(BANKIMPORT_TEST_SPECS)" || { echo 'set BANKIMPORT_TEST_SPECS to the folder with the documents' >&2; exit 1; }
	$(GO) test -tags=specs -count=1 ./internal/simulator

# How much "make chaos" does; the default takes two cores about half an hour.
CHAOS_IMPORTS ?= 10000
CHAOS_KILLS   ?= 200

.PHONY: chaos
chaos: kafka-jars ## kill processes, brokers and nodes for long, and show that the judge sees (CHAOS_IMPORTS, CHAOS_KILLS)
	BANKIMPORT_TEST_KAFKA=jars BANKIMPORT_TEST_KAFKA_HOME=$(KAFKA_HOME) \
	BANKIMPORT_TEST_IMPORTS=$(CHAOS_IMPORTS) BANKIMPORT_TEST_KILLS=$(CHAOS_KILLS) BANKIMPORT_TEST_STEP_KILLS=$(CHAOS_KILLS) \
	BANKIMPORT_TEST_STORM_IMPORTS=500 BANKIMPORT_TEST_STORM_EVENTS=60 BANKIMPORT_TEST_BROKER_EVENTS=10 BANKIMPORT_TEST_NODE_EVENTS=10 \
	BANKIMPORT_TEST_CONTROLS=all \
		$(GO) test $(TAGS) -v -count=1 -p=1 -timeout=4h -run='Killed|Storm|Controls|Failpoints' ./internal/e2e ./internal/e2e/tally

# How long "make fuzz" spends on each target, and further flags, like -parallel=1.
FUZZTIME  ?= 60s
FUZZFLAGS ?=

# Go fuzzes one target of one package at a time. Finding out which part of an
# interesting input matters would take up to a minute for each, so it is bounded.
.PHONY: fuzz
fuzz: ## fuzz every target in turn (FUZZTIME, FUZZFLAGS)
	@list=$$($(GO) test -list='^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ {name[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, name[i]; n = 0}' | { \
		failed=; found=; \
		while read -r package target; do \
			found=1; echo "--- $$package $$target"; \
			$(GO) test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=200x $(FUZZFLAGS) "$$package" </dev/null || failed="$$failed $$target"; \
		done; \
		test -n "$$found" || { echo 'no fuzz target was found' >&2; exit 1; }; \
		test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }; }

.PHONY: kafka-jars
kafka-jars: ## fetch the real broker's jars with Maven, where they are missing
	@test -e "$(KAFKA_JAR)" || { \
		command -v mvn >/dev/null || { echo 'no mvn in PATH: install Maven (Debian: apt-get install maven)' >&2; exit 1; }; \
		mvn -q -B -f internal/realkafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$(KAFKA_HOME)/fetched" && \
		rm -rf "$(KAFKA_HOME)/libs" && mv "$(KAFKA_HOME)/fetched" "$(KAFKA_HOME)/libs"; }

.PHONY: kafka-image
kafka-image: kafka-jars ## build the Kafka image of the tests, where none can be pulled (needs Docker, a JDK, Maven, busybox)
	internal/realkafka/image/build.sh "$(KAFKA_IMAGE)" "$(KAFKA_HOME)"

.PHONY: kafka
kafka: kafka-jars ## run a real Kafka on 127.0.0.1:9092 to try things on (needs Java, Maven)
	$(GO) run ./internal/realkafka/serve

.PHONY: build
build: ## build bin/bankimport
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/bankimport ./cmd/bankimport

.PHONY: check
check: lint generated tidy test ## everything that must hold before a commit: lint, generated files, go.mod, tests

# BENCH_QUICK=1 for a look of two minutes, BENCH_FLAGS='-run tail' for a part
# (bin/bench -h shows all flags, bin/bench -list the parts).
.PHONY: bench
bench: kafka-jars ## run the benchmarks: the engine against other ways on a real broker, then the packages' own
	$(GO) build -o bin/bench ./internal/bench
	cd internal/bench/watermill && $(GO) build -o "$(CURDIR)/bin/bench-watermill" .
	BANKIMPORT_TEST_KAFKA_HOME=$(KAFKA_HOME) bin/bench $(BENCH_FLAGS)
	$(GO) test -run='^$$' -bench=. -benchmem $(if $(BENCH_QUICK),-benchtime=1x) ./...

.PHONY: lint
lint: ## gofmt, go vet, go fix, staticcheck
	@unformatted=$$($(GOFMT) -l .); test -z "$$unformatted" || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	$(GO) vet $(TAGS) ./...
	$(GO) vet -tags=failpoints ./pipeline
	$(GO) vet -tags=specs ./internal/simulator
	$(GO) fix $(TAGS) -diff ./...
	$(GOTOOL) staticcheck $(TAGS) ./...
	$(GOTOOL) staticcheck -tags=failpoints ./pipeline
	cd internal/bench/watermill && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...

.PHONY: fmt
fmt: ## format the code
	$(GOFMT) -w .

.PHONY: generate
generate: ## generate code anew
	$(GO) generate ./...

# Compares by content, so that it also works outside a git checkout and beside
# changes that are not committed.
.PHONY: generated
generated:
	@sums() { grep -rlE --include='*.go' '^// Code generated .* DO NOT EDIT\.$$' . | LC_ALL=C sort | xargs -r sha256sum; }; \
		before=$$(sums) && $(GO) generate ./... && after=$$(sums) && \
		test "$$before" = "$$after" || { echo 'generated files were stale and are new now: look at them and commit them'; exit 1; }

.PHONY: tidy
tidy:
	$(GO) mod tidy -diff
	cd internal/tools && $(GO) mod tidy -diff
	cd internal/bench/watermill && $(GO) mod tidy -diff

.PHONY: image
image: ## build the container image
	docker build -f deploy/Dockerfile --build-arg VERSION="$(VERSION)" -t "$(IMAGE):$(VERSION)" -t "$(IMAGE):latest" .
