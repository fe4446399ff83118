# SPDX-License-Identifier: BSD-2-Clause
# Sealwire. "make help" lists what there is.
#
#   Kconfig, config/*_defconfig -> output/<board>/.config -> autoconf.h, .mk
#   firmware/programs.mk        -> which folders each program links
#   config/sources.lock         -> third-party libraries, cached by content

# The board: BOARD=, or that of O=, or the last *_defconfig, or the host.
last-board := $(file <output/board)
ifdef O
last-board := $(shell sed -n 's/^CONFIG_BOARD="\(.*\)"$$/\1/p' '$(O)/.config' 2>/dev/null)
endif
BOARD ?= $(or $(last-board),host)
O     ?= output/$(BOARD)
Q     := $(if $(V),,@)
say    = $(if $(V),:,printf '  %-7s %s\n')

PY    := /usr/bin/python3
# For what is only built: on all cores, unless somebody has said how many.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
VERSION := 0.1.0

, := ,
define newline


endef

.DELETE_ON_ERROR:
.SUFFIXES:
all: ## everything for BOARD (default: the last *_defconfig, else host)

include firmware/programs.mk

# --- configuration ---------------------------------------------------------
export BOARD VERSION
export KCONFIG_CONFIG := $(O)/.config
export KCONFIG_WARN_UNDEF_ASSIGN := y
kconf = $(PY) -m $(1)

# Kconfig's own program is one of the packages that these install.
$(O)/.config: $(if $(filter run test bench peers,$(MAKECMDGOALS)),| deps)
$(O)/.config: Kconfig board/$(BOARD)/Kconfig | config/$(BOARD)_defconfig
	$(Q)mkdir -p $(O)
	@$(say) CONFIG $(BOARD)_defconfig
	$(Q)if [ -e $@ ]; then $(call kconf,olddefconfig); else \
		$(call kconf,defconfig) config/$(BOARD)_defconfig; fi >/dev/null
	$(Q)touch $@

$(O)/include/autoconf.h: $(O)/.config Kconfig
	$(Q)mkdir -p $(@D)
	$(Q)$(call kconf,genconfig) --header-path $@.new >/dev/null
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
	$(Q)touch $@

ifneq ($(filter-out %_defconfig menuconfig help clean distclean deps,$(or $(MAKECMDGOALS),all)),)
-include $(O)/.config
endif

%_defconfig: config/%_defconfig ## use a board's configuration, from now on
	$(Q)mkdir -p output/$*
	$(Q)BOARD=$* KCONFIG_CONFIG=$(if $(filter command line,$(origin O)),$(O),output/$*)/.config \
		$(call kconf,defconfig) config/$*_defconfig
	$(Q)$(if $(filter command line,$(origin O)),,echo $* >output/board)
menuconfig: | $(O)/.config ## change the configuration
	$(Q)$(call kconf,menuconfig)
savedefconfig: export KCONFIG_CONFIG_HEADER := \# What differs from the defaults.$(newline)
savedefconfig: $(O)/.config ## write the difference to the defaults back
	$(Q)$(call kconf,savedefconfig) --out config/$(BOARD)_defconfig
olddefconfig: $(O)/.config ## take defaults for new options
	$(Q)$(call kconf,olddefconfig)
list-defconfigs: ## boards there are
	@ls config/*_defconfig | sed 's,config/,,'

# --- the compiler: the host's, or for an image a cross compiler with musl ----
str = $(subst ",,$(1))
ifneq ($(filter default undefined,$(origin CC)),)
CC := $(if $(CONFIG_IMAGE),$(O)/toolchain/cc,gcc)
endif
CROSS := $(call str,$(CONFIG_CROSS_COMPILE))
TOOLCHAIN := $(if $(CONFIG_IMAGE),$(O)/toolchain/done)
PIE := $(if $(CONFIG_IMAGE),-static-pie,-pie)
# The date of all that is in an image.
ifdef CONFIG_IMAGE
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGES.md)
endif

# --- third parties: built once per version, options and compiler -----------
CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sealwire
export CACHE_DIR
THIRD := $(O)/third
BUILD := tools/build $(wildcard tools/buildlib/*.py)

CRYPTO_OPT := -O$(or $(CONFIG_OPTIMIZE_CRYPTO),2)
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
# "plain" is what runs, "san" is what tests link.
third-flags-plain := $(if $(CONFIG_SANITIZE),$(SAN) -g)
third-flags-san   := $(SAN) -g

$(THIRD)/%/done: config/sources.lock config/mbedtls_config.h \
		config/lwipopts.h config/arch/cc.h firmware/ip/ip_hooks.h \
		firmware/crypto/crypto_driver.h $(BUILD) \
		$(wildcard config/patches/*.patch) $(O)/.config $(TOOLCHAIN)
	$(Q)tools/build libraries --out $(@D) --cc '$(CC)' --crypto-opt='$(CRYPTO_OPT)' \
		--flags='$(third-flags-$*)' $(TOOLCHAIN:%/done=--toolchain %)
	$(Q)touch $@

$(O)/toolchain/done: $(BUILD) config/sources.lock
	$(Q)tools/build toolchain --out $(@D) --cross $(CROSS) \
		--arch $(call str,$(CONFIG_ARCH)) --machine $(call str,$(CONFIG_MACHINE))
	$(Q)touch $@

third: $(THIRD)/plain/done ## fetch and build mbedTLS, nettle, GMP and lwIP

# --- our own code ------------------------------------------------------------
WARN := -Wall -Wextra -Werror -Wshadow -Wswitch-enum -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla
# musl's CMSG_NXTHDR and its ioctl(int, int, ...) mix signs by themselves.
WARN += $(if $(CONFIG_IMAGE),-Wno-sign-conversion)
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
# No clock can be right that is before this (confd_clock.c). A build for a PC says
# nothing about its clock.
BUILD_EPOCH := $(or $(SOURCE_DATE_EPOCH),1767225600)
%/confd_clock.o: CPP_ALL += -DBUILD_EPOCH=$(BUILD_EPOCH)
CPP_ALL = -std=c11 -D_GNU_SOURCE -Ifirmware -I. -Iconfig -I$(O)/include \
	-include $(O)/include/autoconf.h -MMD -MP \
	-ffile-prefix-map=$(CURDIR)=.
inc-mbedtls = -isystem $(1)/include/mbedtls-3.6 -DMBEDTLS_CONFIG_FILE='"config/mbedtls_config.h"'
inc-nettle  = -isystem $(1)/include/nettle-3.10 -isystem $(1)/include/gmp-6.3
inc-lwip    = -isystem $(1)/include/lwip
flags-plain := -O2 -g $(HARDEN) $(if $(CONFIG_SANITIZE),$(SAN) -U_FORTIFY_SOURCE)
flags-san   := -O1 -g $(SAN)

FOLDERS := base proto policy secret auth dns probe cli conf crypto pki image store ntp tls session ip ipc proc
src      = $(wildcard firmware/$(1)/*.c)
objs     = $(patsubst %.c,$(O)/$(2)/%.o,$(if $(filter drivers,$(1)),$(wildcard drivers/*.c),$(call src,$(1))))
prog-src = $(wildcard firmware/proc/$(1)/*.c)

archives  = $(patsubst %,$(THIRD)/$(1)/lib/lib%.a,$(2))
third-inc = $(foreach l,mbedtls nettle lwip,$(call inc-$(l),$(THIRD)/$(1)))

define variant
$(O)/$(1)/%.o: %.c $(O)/include/autoconf.h Makefile $(THIRD)/$(1)/done
	$(Q)mkdir -p $$(@D)
	@$(say) CC $$*
	$(Q)$(CC) $(CPP_ALL) $(WARN) $(flags-$(1)) $(third-inc) -c -o $$@ $$<
endef
$(foreach v,plain san,$(eval $(subst $$(third-inc),$$(call third-inc,$(v)),$(call variant,$(v)))))

# Calls that tests let fail (tests/fault/fault.h) are linked through its own.
FAULT := $(O)/san/tests/fault/fault.o
WRAP := $(patsubst %,-Wl$(,)--wrap=%,malloc calloc realloc mmap send sendmsg \
	sendmmsg socketpair socket open fork epoll_ctl memfd_create accept4 recvmsg \
	getrandom syscall clock_gettime ioctl)

# $(1) program, $(2) variant, $(3) folder, $(4) more objects, $(5) flags
define program
$(O)/$(3)/$(1): $$(foreach f,$$($(1)-y),$$(call objs,$$(f),$(2))) \
		$$(call objs,proc,$(2)) $$(patsubst %.c,$(O)/$(2)/%.o,$$(call prog-src,$(1))) \
		$(4) $(THIRD)/$(2)/done
	$(Q)mkdir -p $$(@D)
	@$(say) LD $$@
	$(Q)$(CC) $(flags-$(2)) $(5) $(PIE) -Wl,-z,relro,-z,now,--gc-sections -o $$@ $$(filter %.o,$$^) \
		$$(call archives,$(2),$$($(1)-lib))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p),plain,bin)))
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p),san,bin-san)))
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p),san,bin-fault,$(FAULT),$(WRAP))))

programs: $(PROGRAMS:%=$(O)/bin/%) $(O)/share/ca.pem
programs-san: $(PROGRAMS:%=$(O)/bin-san/%) $(O)/share/ca.pem ## the programs with sanitizers
programs-fault: $(PROGRAMS:%=$(O)/bin-fault/%) $(O)/share/ca.pem ## these, with calls that fail when a test says so

# The CA list of the box: Mozilla's, as Debian packages it.
$(O)/share/ca.pem: config/sources.lock $(BUILD)
	$(Q)tools/build ca --out $@

# --- the image of a board with flash ----------------------------------------------
# SIGN_KEY: the RSA key of those who ship. Without it one is made for development.
DEVELOPMENT_KEY := output/development-key-do-not-ship.pem
SIGN_KEY ?= $(DEVELOPMENT_KEY)
facts := board/$(BOARD)
IMAGE_BOARDS := $(patsubst board/%/board.dts,%,$(wildcard board/*/board.dts))

$(DEVELOPMENT_KEY):
	@$(say) KEY $@
	$(Q)mkdir -p $(@D) && umask 077 && openssl genrsa -out $@ 3072 2>/dev/null

# What no time stamp tells: another key, another date, another version.
$(O)/inputs: $(SIGN_KEY) FORCE
	$(Q){ sha256sum <$<; echo $(VERSION) $(SOURCE_DATE_EPOCH); } >$@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(if $(CONFIG_IMAGE),$(O)/plain/firmware/proc/confd/confd_clock.o: $(O)/inputs)

# What the firmware verifies the next image with.
$(O)/share/image.key: $(SIGN_KEY) $(O)/inputs
	$(Q)mkdir -p $(@D) && tools/sign-image --key $< --public $@

$(O)/stripped/%: $(O)/bin/%
	$(Q)mkdir -p $(@D) && $(CROSS)strip -o $@ $<

# Each is a link into the cache; the tool finds out whether anything has changed.
$(O)/linux.done: $(BUILD) config/sources.lock config/linux.config $(facts)/linux.fragment
	$(Q)tools/build linux --out $(O)/linux --board $(BOARD) --cross $(CROSS) \
		--arch $(call str,$(CONFIG_ARCH))
	$(Q)touch $@
$(O)/uboot.done: $(BUILD) config/sources.lock config/uboot.config $(facts)/uboot.fragment \
		config/uboot.env $(facts)/uboot.env $(wildcard config/patches/u-boot-*)
	$(Q)tools/build uboot --out $(O)/uboot --board $(BOARD) --cross $(CROSS) \
		--defconfig $(CONFIG_UBOOT_DEFCONFIG)
	$(Q)touch $@
# On a board with a boot ROM: what goes before U-Boot, and what is below it.
SPL := $(if $(wildcard $(facts)/loader),$(O)/spl.done)
$(O)/spl.done: $(O)/uboot.done $(facts)/loader
	$(Q)tools/build spl --out $(O)/spl --board $(BOARD) --cross $(CROSS) \
		--defconfig $(CONFIG_UBOOT_DEFCONFIG) --uboot $(O)/uboot
	$(Q)touch $@
$(O)/busybox.done: $(TOOLCHAIN) rootfs/busybox.config
	$(Q)tools/build busybox --out $(O)/busybox --cross $(CROSS) --toolchain $(O)/toolchain
	$(Q)touch $@

$(O)/images/sha256sums: $(PROGRAMS:%=$(O)/stripped/%) $(O)/share/ca.pem $(O)/linux.done \
		$(O)/uboot.done $(SPL) $(O)/busybox.done $(O)/share/image.key $(wildcard rootfs/* $(facts)/*) \
		config/default.conf tools/image tools/sign-image tools/sbom
	@$(say) IMAGE $(@D)
	$(Q)tools/image --out $(O) --board $(BOARD) --version $(VERSION) \
		--arch $(call str,$(CONFIG_ARCH)) --load $(CONFIG_KERNEL_LOAD) \
		--key $(SIGN_KEY) $(if $(filter $(DEVELOPMENT_KEY),$(SIGN_KEY)),,--release)

# One after the other; what has not changed is looked up in the cache.
all-boards: ## the images of all boards there are; not part of test
	$(Q)$(foreach b,$(IMAGE_BOARDS),$(SUBMAKE) BOARD=$(b) O=output/$(b) image &&) true

sbom: image ## CycloneDX of what is in the image
	@ls $(O)/images/*.cdx.json
legal-info: ## licence texts and all sources, to hand on
	$(Q)tools/legal-info output/legal-info
	@echo output/legal-info
source: ## fetch all sources; then make needs no network
	$(Q)tools/fetch --all

# The second compiler for the target; it has no library to link with.
target-src = $(foreach f,$(FOLDERS),$(call src,$(f))) $(wildcard drivers/*.c) \
	$(foreach p,$(PROGRAMS),$(call prog-src,$(p)))
check-target: $(THIRD)/plain/done $(O)/include/autoconf.h ## what clang says about the target's code
	$(Q)printf '%s\n' $(target-src) | xargs -P 2 -n 8 clang -fsyntax-only \
		--target=$(call str,$(CONFIG_MACHINE))-linux-musl -nostdinc \
		-isystem $(O)/toolchain/sysroot/include \
		-isystem $(shell clang -print-resource-dir)/include \
		$(filter-out -MMD -MP,$(CPP_ALL)) $(WARN) -Wno-sign-compare \
		$(flags-plain) $(call third-inc,plain)

image: $(O)/images/sha256sums ## the signed image and all that belongs to it
all: $(if $(CONFIG_IMAGE),image,programs)

# --- tests ---------------------------------------------------------------------
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
lib-san := $(foreach f,$(filter-out proc,$(FOLDERS)) drivers,$(call objs,$(f),san))
FUZZ_SECONDS ?= 3
third-libs := $(mbedtls-lib) polarssl lwip

$(O)/unit/%: tests/unit/%.c $(lib-san) $(FAULT) $(wildcard tests/unit/*.h)
	$(Q)mkdir -p $(@D)
	@$(say) TEST $*
	$(Q)$(CC) $(CPP_ALL) -MF $@.d -MT $@ -Itests/unit $(filter-out -Wmissing-prototypes,$(WARN)) $(flags-san) \
		$(call third-inc,san) $(if $(findstring test_fault_,$*),$(WRAP)) \
		-o $@ $< $(filter-out $(if $(findstring test_fault_,$*),,$(FAULT)),$(filter %.o,$^)) \
		$(call archives,san,$(third-libs)) -lcmocka -lssl -lcrypto

-include $(wildcard $(O)/unit/*.d)

test-unit: $(UNIT:%=$(O)/unit/%) ## pure engines: vectors, every cut, guard pages
	$(Q)tools/test-report --unit $(O)/unit $(UNIT)

# Fuzz targets use clang's libFuzzer; our own folders are compiled in whole.
fuzz-src := $(foreach f,base proto policy secret dns probe cli conf ntp,$(call src,$(f))) \
	$(wildcard drivers/classifier.c)
# image asks crypto, for which its target has something simpler
$(O)/fuzz/fuzz_image: fuzz-src += $(call src,image)
$(O)/fuzz/fuzz_image: $(call src,image)
# auth asks mbedTLS, which asks crypto for memory, curves and AES-GCM
fuzz-auth := $(addprefix $(O)/fuzz/fuzz_,sasl_client sasl_server ntlm_msg ntlm_seal)
$(fuzz-auth): fuzz-src += $(call src,auth) $(call src,crypto) \
	$(call third-inc,plain) $(third-libs:%=$(THIRD)/plain/lib/lib%.a)
$(fuzz-auth): $(call src,auth) $(call src,crypto) $(THIRD)/plain/done
$(O)/fuzz/%: tests/fuzz/%.c $(fuzz-src) $(O)/include/autoconf.h \
		$(wildcard tests/unit/*.h)
	$(Q)mkdir -p $(@D)
	@$(say) FUZZ $*
	$(Q)clang $(filter-out -MMD -MP,$(CPP_ALL)) -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -Itests/unit -o $@ $< $(fuzz-src)

test-fuzz: $(FUZZ:%=$(O)/fuzz/%) ## every parser, FUZZ_SECONDS each
	$(Q)tools/test-report --fuzz $(O)/fuzz $(FUZZ_SECONDS) $(FUZZ)

# Load, sink and micro benchmarks; the engines are those that run.
BENCH := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/*.c))
$(O)/bench/%: tests/bench/%.c tests/bench/bench.h \
		$(foreach f,base proto policy crypto tls,$(call objs,$(f),plain))
	$(Q)mkdir -p $(@D)
	@$(say) BENCH $*
	$(Q)$(CC) $(filter-out -MMD -MP,$(CPP_ALL)) $(WARN) $(flags-plain) \
		$(call third-inc,plain) -pie -o $@ $(filter %.c %.o,$^) \
		$(call archives,plain,$(mbedtls-lib)) -lssl -lcrypto

programs-bench: $(BENCH:%=$(O)/bench/%)

test-lwip: $(THIRD)/san/done ## lwIP's own unit tests with our options
	$(Q)tools/test-lwip $(O)/lwip

# Our log-on engines on a pipe, for tests/net.
$(O)/net/authtool: tests/net/authtool.c $(foreach f,base auth crypto,$(call objs,$(f),san))
	$(Q)mkdir -p $(@D)
	@$(say) TEST $(@F)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CPP_ALL)) $(WARN) $(flags-san) -o $@ $(filter %.c %.o,$^) \
		$(third-libs:%=$(THIRD)/san/lib/lib%.a)

test-net: programs programs-san programs-fault $(O)/net/authtool peers ## the box between real peers, in network namespaces
	$(Q)tools/test-report --pytest-apart tests/net

# The tables of the manual come from the schema of settings.
$(O)/tools/manual: tools/manual.c $(foreach f,base proto policy secret conf,$(call objs,$(f),plain))
	$(Q)mkdir -p $(@D)
	@$(say) HOSTCC $@
	$(Q)$(CC) $(filter-out -MMD -MP,$(CPP_ALL)) $(WARN) $(flags-plain) -pie -o $@ $(filter %.c %.o,$^)

manual: $(O)/tools/manual ## config/README.md's tables, from the schema
	$(Q)$< config/README.md >$(O)/tools/README.md && mv $(O)/tools/README.md config/README.md

# Boards that QEMU can start are those that tests can look at.
TEST_BOARDS := $(patsubst board/%/qemu,%,$(wildcard board/*/qemu))
test-images = $(foreach b,$(TEST_BOARDS),$(SUBMAKE) BOARD=$(b) O=output/$(b) image &&) true
test-image: ## what is in an image; the same octets elsewhere
	$(Q)$(test-images)
	$(Q)tools/test-report --pytest tests/image

test-boot: peers ## that image on the board that QEMU plays, from blank flash on
	$(Q)$(test-images)
	$(Q)tools/test-report --pytest-apart tests/boot

check: programs ## layers, purity, format, both compilers
	$(Q)tools/check $(O)

test: deps peers ## everything; on a board with an image, its image
ifdef CONFIG_IMAGE
	$(Q)$(MAKE) --no-print-directory test-image test-boot
	$(Q)tools/test-report --command run tools/run --tap
else
	$(Q)$(SUBMAKE) programs programs-san programs-fault \
		$(O)/net/authtool $(UNIT:%=$(O)/unit/%) $(FUZZ:%=$(O)/fuzz/%)
	$(Q)$(test-images)
	$(Q)tools/test-all $(O)
endif

run: deps ## the box between a real mail server and real MXs; shows both wires
	$(Q)$(SUBMAKE) $(if $(CONFIG_IMAGE),image,programs)
	$(Q)tools/run

bench: deps programs ## ratios against other ways to do it, in one run
	$(Q)$(SUBMAKE) programs-bench
	$(Q)tools/bench $(BENCH_FLAGS)

deps: ## install the Debian packages that building and testing need
	$(Q)tools/deps

peers: deps ## fetch the mail servers that tests use
	$(Q)tools/peers

size: all ## bytes of each program and of the image, next to the last commit's
	$(Q)tools/size $(O) $(CROSS)

clean: ## remove what was built for BOARD
	$(Q)rm -rf $(O)
distclean: ## remove everything built; the cache stays
	$(Q)rm -rf output

help: ## this list
	@grep -hE '^[a-z%_-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | \
		awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'
	@echo "  BOARD=host  O=folder  V=1  CC=clang  FUZZ_SECONDS=3  CACHE_DIR=folder"
	@echo "  BENCH_FLAGS='--rounds 5'"

-include $(shell find $(O)/plain $(O)/san -name '*.d' 2>/dev/null)

FORCE:
.PHONY: FORCE all programs programs-san programs-fault programs-bench third test test-unit test-fuzz test-lwip test-net \
	check manual run bench deps peers size clean distclean help menuconfig savedefconfig \
	olddefconfig list-defconfigs image sbom legal-info source check-target \
	test-image test-boot all-boards
