# SPDX-License-Identifier: BSD-2-Clause
#
# Builds Foliot (build/foliot.elf), its host tests and its guests. Everything generated is under build/. "make help" lists the targets.

CROSS_COMPILE ?=
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD := $(CROSS_COMPILE)ld
NM := $(CROSS_COMPILE)nm
NASM ?= nasm

B := build
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH

.PHONY: all
all: $(B)/foliot.elf

# ---- the hypervisor ----

FOLDERS := base timekeeping devices host svm vmx vm monitor boot
WARNINGS := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
FREESTANDING := -std=c17 -ffreestanding -m64 -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-ffunction-sections -fdata-sections
# Fast where every exit passes, small elsewhere.
HOT := timekeeping/% svm/% vmx/vmx.% vmx/inject.% vmx/exit.% $(addprefix devices/,bus.% irq.% pic.% pit.% pit_counter.% pmtimer.% pvclock.% hpet.%) \
	$(addprefix devices/,ioapic.% lapic.% lapic_registers.% lapic_timer.% hyperv.%) \
	$(addprefix vm/,run.% apic.% exits.% instruction.% decode.% walk.% msr.% cpuid.% memory.% mmio.% emulate.%)
OPTIMISE = $(if $(filter $(HOT),$<),-O2,-Os)
CFLAGS = $(OPTIMISE) -g $(FREESTANDING) $(WARNINGS) -I. -ffile-prefix-map=$(CURDIR)=. $(EXTRA_CFLAGS)
LDFLAGS := -m elf_x86_64 -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=sha1 --gc-sections

C_SOURCES := $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c))
ifdef TEST_BUILD # see build/foliot-test.elf
C_SOURCES += tests/image/test_hooks.c
CFLAGS += -DFOLIOT_TEST_BUILD
endif
ASM_SOURCES := $(foreach f,$(FOLDERS),$(wildcard $(f)/*.asm))
OBJECTS := $(C_SOURCES:%.c=$(B)/%.o) $(ASM_SOURCES:%.asm=$(B)/%.asm.o)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.asm.o: %.asm Makefile
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	@$(NASM) -f elf64 -w+all --reproducible -I. -MD $(@:.o=.d) -o $@ $<

# Linked twice: the second time with the names of the functions that the first link placed.
$(B)/symbols0.c: tools/gen-symbols
	@mkdir -p $(@D)
	@tools/gen-symbols </dev/null >$@

$(B)/symbols1.c: $(B)/foliot0.elf tools/gen-symbols
	@$(NM) $< | tools/gen-symbols >$@

$(B)/symbols%.o: $(B)/symbols%.c
	@$(CC) $(CFLAGS) -c -o $@ $<

$(B)/foliot0.elf: $(OBJECTS) $(B)/symbols0.o linker.ld
	@$(LD) $(LDFLAGS) -T linker.ld -o $@ $(filter %.o,$^)

$(B)/foliot.elf: $(OBJECTS) $(B)/symbols1.o linker.ld
	@echo "  LD    $@"
	@$(LD) $(LDFLAGS) -T linker.ld -o $@ $(filter %.o,$^)

-include $(OBJECTS:.o=.d)

# The same sources and the hooks of vm/test_hooks.h, in a folder of their own: for tests only.
.PHONY: FORCE
$(B)/foliot-test.elf: FORCE
	@$(MAKE) --no-print-directory B=$(B)/test-image TEST_BUILD=1 $(B)/test-image/foliot.elf
	@cmp -s $(B)/test-image/foliot.elf $@ || cp $(B)/test-image/foliot.elf $@

# ---- host tests: the pure code under the sanitizers, with both compilers ----

PURE := $(wildcard base/format.c base/refusal.c timekeeping/*.c devices/*.c monitor/*.c) \
	$(filter-out vm/apic.c vm/console.c vm/control.c vm/end.c vm/exits.c vm/instruction.c vm/machine.c vm/memory.c vm/mmio.c \
		vm/msr.c vm/port_string.c vm/run.c vm/trace_machine.c,$(wildcard vm/*.c)) \
	boot/display.c boot/memory_map.c boot/multiboot2.c \
	host/acpi.c host/clock_math.c host/font.c host/paging.c host/pixels.c host/rtc_date.c host/screen.c \
	svm/exit.c svm/inject.c vmx/check.c vmx/check_rules.c vmx/check_segments.c vmx/control.c vmx/exit.c vmx/inject.c vmx/mtrr.c
TESTS := $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
TEST_CFLAGS := -std=gnu17 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra -Werror -Wshadow \
	-Wno-unused-parameter -I. -MMD -MP
TEST_LIBS := -lcmocka -lgmp -ljansson -lZydis

define host_tests # compiler
$(B)/tests/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@$(1) $(TEST_CFLAGS) -c -o $$@ $$<

$(B)/tests/$(1)/pure.a: $(PURE:%.c=$(B)/tests/$(1)/%.o) $(B)/tests/$(1)/tests/support.o $(B)/tests/$(1)/tests/replay.o
	@rm -f $$@
	@ar rcs $$@ $$^

$(B)/tests/$(1)/test_%: $(B)/tests/$(1)/tests/test_%.o $(B)/tests/$(1)/pure.a
	@echo "  TEST  $$@"
	@$(1) -fsanitize=address,undefined -o $$@ $$^ $(TEST_LIBS)

$(B)/tests/$(1)/replay_clocks: $(B)/tests/$(1)/tests/replay_clocks.o $(B)/tests/$(1)/pure.a
	@echo "  TEST  $$@"
	@$(1) -fsanitize=address,undefined -o $$@ $$^ $(TEST_LIBS)

-include $(B)/tests/$(1)/tests/replay.d $(B)/tests/$(1)/tests/replay_clocks.d
-include $(PURE:%.c=$(B)/tests/$(1)/%.d) $(TESTS:%=$(B)/tests/$(1)/tests/%.d)
endef
$(eval $(call host_tests,gcc))
$(eval $(call host_tests,clang))

.PRECIOUS: $(B)/tests/gcc/%.o $(B)/tests/clang/%.o
.PHONY: host-tests
host-tests: $(TESTS:%=$(B)/tests/gcc/%) $(TESTS:%=$(B)/tests/clang/%) $(B)/tests/gcc/replay_clocks

include guest-tests/guests.mk

# ---- what users call ----

.PHONY: run demo test test-quick test-long check bench clean help

run:
	@tools/setup $(if $(filter bochs,$(BED)),bochs,run)
	@+$(MAKE) --no-print-directory all
	@tools/run-linux

demo:
	@tools/setup run
	@+$(MAKE) --no-print-directory all
	@tools/guest-linux
	@tools/demo

test-quick:
	@tools/setup test
	@tools/run-tests quick

test:
	@tools/setup test
	@tools/run-tests share

test-long:
	@tools/setup test
	@tools/run-tests long

check:
	@tools/setup test
	@tools/check

bench: all guests
	@bench/run

clean:
	rm -rf $(B)

help:
	@echo "make             build/foliot.elf"
	@echo "make run         boot Foliot with a Linux guest, its console in this terminal (KERNEL= INITRD= APPEND= for your own,"
	@echo "                 BED=bochs for emulated VT-x, UEFI=1 for a start by UEFI)"
	@echo "make demo        60 seconds without hands: the guest's date at rates 1, 10 and 1/4"
	@echo "make test-quick  the daily loop, at most 5 minutes"
	@echo "make test        every claim with 1 % of its count, at most 40 minutes on two cores"
	@echo "make test-long   every count in full; goes on where it was stopped"
	@echo "make check       layers, other compilers, -nostdinc, no vector registers, reproducible build"
	@echo "make bench       instructions per operation, into docs/numbers.md"
	@echo "make clean       remove build/"
	@echo "CC=clang, CROSS_COMPILE=x86_64-linux-gnu- and the like are honoured."
