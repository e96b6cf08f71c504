# A thin front of Meson; docs/hacking.md lists every command.
BUILD ?= build
PY ?= /usr/bin/python3
MESON ?= meson

.PHONY: all run test check check-all bench bench-runtime fmt install clean fuzz sim tidy abi
# Ninja is the one that works in parallel: packages first, then Meson.
.NOTPARALLEL:

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

setup-%:
	@tools/install-packages $(subst +, ,$*)

# What Meson finds depends on what is installed: it looks again after that.
$(BUILD)/build.ninja: $(wildcard /var/lib/dpkg/status) | setup-build
	$(MESON) setup $(if $(wildcard $@),--reconfigure) $(BUILD)

run: setup-build+run all
	@$(PY) tools/demo --weir $(BUILD)/weir

test: setup-build+check+test$(if $(CI),+cross) $(BUILD)/build.ninja
	@$(PY) tools/run-tests --build $(BUILD)

check: setup-build+check $(BUILD)/build.ninja
	@$(PY) tools/run-tests --build $(BUILD) --quick

check-all: setup-build+check+test+cross $(BUILD)/build.ninja
	@$(PY) tools/run-tests --build $(BUILD) --all

bench: setup-build+test+bench all
	@$(PY) bench/run

bench-runtime: setup-build+test+bench all
	@$(PY) bench/runtime/run --write

fuzz: setup-build+fuzz
	@$(PY) tools/run-fuzz $(if $(T),--target $(T)) --seconds $(or $(SECONDS),60)

# Fresh seeds, or one again: SEED=7, with CASE=http and TRACE=1 if you like.
sim: all
	@$(BUILD)/tests/sim/sim-run $(CASE) $(if $(SEED),--seed $(SEED)) --seeds $(or $(SEEDS),$(if $(SEED),1,20)) $(if $(TRACE),--trace)

# Write down a wished change of the library's ABI.
abi: all
	@ninja -C $(BUILD) abi

tidy:
	@$(PY) tools/tidy

fmt: setup-fmt
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" = 0 ] || echo "not root: sudo make install, or DESTDIR=FOLDER" >&2
	$(MESON) install --no-rebuild -C $(BUILD)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean:
	rm -rf $(BUILD) build-*
