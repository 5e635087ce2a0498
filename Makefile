# Two commands matter: make run and make test. The rest is for developers.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X github.com/sallyport-sftp/sallyport/internal/exchange.Version=$(VERSION)
FUZZTIME ?= 20s
HOSTARCH = $(shell $(GO) env GOHOSTARCH)
ARCH    ?= $(HOSTARCH)

# The race detector watches our code, not the loops of others' code that hold no locks of ours:
# SQLite as translated from C, and the functions that make passphrases slow. That is a third of the
# time of the tests.
RACE = -race -gcflags=modernc.org/...=-race=false \
	-gcflags=golang.org/x/crypto/blowfish=-race=false -gcflags=golang.org/x/crypto/argon2=-race=false

.PHONY: run build keygen deb release test twice check journeys fuzz bench

run: ## the demo: accounts, keys and files, and how to connect
	@echo 'Compiling, a minute or two the first time.'
	@$(MAKE) --no-print-directory build
	@set -m 2>/dev/null; bin/sallyport quickstart # Ctrl-C reaches the demo alone, so make ends well, too

build: keygen ## bin/sallyport, static; what "make run" starts, so that nothing is compiled twice
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/sallyport ./cmd/sallyport

deb: keygen ## the Debian package for this machine, or for ARCH=arm64, in dist/
	scripts/build linux $(ARCH) dist/sallyport-$(ARCH)
	scripts/build linux $(HOSTARCH) dist/sallyport-host
	scripts/deb $(ARCH) dist/sallyport-$(ARCH) dist dist/sallyport-host

release: keygen ## programs, packages, images, checksums and the list of parts, in dist/; the same bytes each time
	scripts/release dist

# What makes key pairs in a browser, packed to be embedded. It is built anew when its sources change.
KEYGEN = internal/web/page/dist/keygen.wasm.br
keygen: $(KEYGEN)
$(KEYGEN): $(wildcard internal/web/keygen/*.go internal/web/keygen/build/*.go internal/keys/*.go internal/valid/*.go) go.mod
	$(GO) run ./internal/web/keygen/build

test: keygen ## every test, with the race detector and the real clients; attacks alone, since they look at the clock
	scripts/install-test-packages
	TESTS=all CGO_ENABLED=1 scripts/test $(GO) test $(RACE) -timeout 20m $$($(GO) list ./... | grep -v /test/attacks)
	STORY_DATABASE=postgres TESTS=all CGO_ENABLED=1 scripts/test $(GO) test $(RACE) -timeout 20m ./test/journeys -run '^TestJourneys$$'
	TESTS=all CGO_ENABLED=1 scripts/test $(GO) test $(RACE) -timeout 20m ./test/attacks

twice: ## the rooms, with each transaction's function run twice (docs/decisions/0022-change.md)
	TESTS=all SALLYPORT_TWICE=1 $(GO) test -timeout 20m ./internal/...

check: ## what needs no server: format, vet, golangci-lint, modules
	scripts/check

journeys: ## the stories alone; with STORY_DATABASE=postgres, on PostgreSQL
	scripts/install-test-packages
	TESTS=all CGO_ENABLED=1 $(GO) test $(RACE) -timeout 20m -v ./test/...

fuzz: ## every fuzz target for FUZZTIME each
	scripts/fuzz $(FUZZTIME)

bench: ## beside OpenSSH; see docs/benchmarks.md
	$(GO) run ./bench
	$(MAKE) build && $(GO) run ./bench/neighbours
