# SPDX-License-Identifier: GPL-2.0
#
# The module for a kernel build tree, the standard way, and the front door to
# everything else. Kbuild has what the kernel's build reads.

KDIR ?= /lib/modules/$(shell uname -r)/build

kunit-option := $(if $(KUNIT),CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST=y)
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) $(kunit-option) \
	$(if $(shell grep -sx CONFIG_CC_IS_CLANG=y $(KDIR)/include/config/auto.conf),LLVM=1)

# make itself has a value for AS, which is not meant here.
ifeq ($(origin AS),default)
undefine AS
endif

.PHONY: modules modules_install clean run test stress bench mutants compare kunit shell lint layers generate headers_install record-versions intree help

modules:
	@tools/kdir.sh "$(KDIR)"
	+$(kbuild) modules

modules_install:
	+$(kbuild) modules_install

clean:
	@tools/kdir.sh --clean "$(KDIR)"
	+$(kbuild) clean

INSTALL_HDR_PATH ?= usr

# The guards lose the prefix that marks headers for user space in the kernel's tree.
headers_install:
	@install -d "$(INSTALL_HDR_PATH)/include/drm"
	@for header in include/uapi/drm/*.h; do \
		sed 's/_UAPI_RUST_GPU_TTM/_RUST_GPU_TTM/' $$header \
			>"$(INSTALL_HDR_PATH)/include/drm/$${header##*/}" || exit; \
	done

generate:
	@tools/root.sh exec cargo run --quiet --locked -p generate

layers:
	@tools/root.sh exec cargo run --quiet --locked -p layers -- $(AS:%=--as=%)

run kunit shell lint record-versions:
	@tools/root.sh $@

test:
	@tools/root.sh test $(SUITE)

stress:
	@tools/root.sh stress $(TIME:%=--time=%) $(SUITE)

bench:
	@tools/root.sh bench $(BENCH)

mutants:
	@tools/root.sh mutants $(MUTANT)

compare:
	@tools/root.sh compare $(RUNS:%=--runs=%) "$(A)" "$(B)" $(BENCH)

intree:
	@test -d "$(KSRC)" || { echo 'make intree: KSRC= has to name a kernel source tree' >&2; exit 1; }
	@KSRC=$(abspath $(KSRC)) tools/root.sh intree $(abspath $(KSRC))

help:
	@echo 'make [modules] [KDIR=]  the module, for a Rust-enabled kernel build; KUNIT=1 with its KUnit suites'
	@echo 'make modules_install    install it; make clean: remove what was built'
	@echo 'make run                the demo, in a guest with a virtual GPU'
	@echo 'make shell              a shell in such a guest'
	@echo 'make test [SUITE=]      every test, or some: suites, guests, suites in guests, groups; by blanks or commas'
	@echo '  TEST=name             one test of them, for kunit a suite or SUITE.TEST, too; for cargo a part of names'
	@echo '  FAILFAST=1            stop at the first failure'
	@echo 'make stress [SUITE=]    the suites that find more the longer they run, for long'
	@echo '  TIME=seconds          everything at once, for that time'
	@echo 'make mutants [MUTANT=]  faults in the kernel, and which of them the suites see; hours for all of them'
	@echo 'make bench [BENCH=]     what things cost, in instructions; figures under out/'
	@echo 'make compare A= B=      the same on two trees, kernels or states of the driver, and the ratios'
	@echo 'make kunit [TEST=]      the KUnit suites, with their KTAP'
	@echo 'make lint               checks of the sources'
	@echo 'make layers             which folder of the module imports from which; AS=imports each import, AS=dot for Graphviz'
	@echo 'make record-versions    after a green lint and test: record the tools that they ran with'
	@echo 'make headers_install    the uAPI headers for user space, under INSTALL_HDR_PATH (usr)'
	@echo 'make generate           make what follows from others: C headers, tables of numbers and layers, manual page'
	@echo 'make intree KSRC=       put the driver into a kernel source tree'
	@echo 'KSRC=/path/to/linux     a kernel source of yours for guests, built with each change; KDIR= a finished build'
	@echo 'KERNEL=plain|debug|kcsan  the kernel, in place of a target'\''s own; APPEND= more words for its command line'
	@echo 'RGT_ACCEL=auto|tcg|kvm  what runs guests: KVM where it works, else emulation, which the first line says'
	@echo 'What is built for guests is kept in the cache folder (XDG_CACHE_HOME).'
