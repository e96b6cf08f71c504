# A thin front of Meson; docs/hacking.md lists every command.
BUILD ?= build
PY ?= /usr/bin/python3
MESON ?= meson

.PHONY: all run test check check-all bench fmt install clean setup-build setup-test fuzz tidy

all: setup-build $(BUILD)/build.ninja
	@ninja -C $(BUILD)

setup-build:
	@tools/install-packages build
setup-test: setup-build
	@tools/install-packages test

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

run: all
	@$(PY) tools/demo --weir $(BUILD)/weir

test: setup-test $(BUILD)/build.ninja
	@$(PY) tools/run-tests --build $(BUILD)

check: $(BUILD)/build.ninja
	@$(PY) tools/run-tests --build $(BUILD) --quick

check-all: setup-test
	@$(PY) tools/run-tests --all

bench: all
	@tools/install-packages test bench
	@$(PY) bench/run

fuzz: setup-test
	@$(PY) tools/run-fuzz $(if $(T),--target $(T)) --seconds $(or $(SECONDS),60)

tidy:
	@$(PY) tools/tidy

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	$(MESON) install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-*
