# SPDX-License-Identifier: BSD-2-Clause
#
# The tiny guests: guest-tests/<name>/main.c, and the bench guests bench/<name>/main.c, each with the library in
# guest-tests/lib, become build/guests/<name>.elf (Multiboot 1, 32-bit). Included by the Makefile, or used alone:
#     make -f guest-tests/guests.mk guests
CC ?= gcc
NASM ?= nasm

GUESTS_OUT := build/guests
GUEST_NAMES := $(patsubst guest-tests/%/main.c,%,$(wildcard guest-tests/*/main.c))
BENCH_NAMES := $(patsubst bench/%/main.c,bench-%,$(wildcard bench/*/main.c))
GUEST_ELFS := $(patsubst %,$(GUESTS_OUT)/%.elf,$(GUEST_NAMES) $(BENCH_NAMES))

GUEST_CFLAGS := -m32 -std=c17 -ffreestanding -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
	-mgeneral-regs-only -O2 -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wvla -ffile-prefix-map=$(CURDIR)/= -I$(CURDIR) -MMD -MP
GUEST_LDFLAGS := -m32 -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
	-Wl,-T,guest-tests/lib/guest.ld

GUEST_LIB_SOURCES := $(wildcard guest-tests/lib/*.c) base/format.c base/mem.c
GUEST_LIB_OBJECTS := $(patsubst %.c,$(GUESTS_OUT)/lib/%.o,$(GUEST_LIB_SOURCES)) $(GUESTS_OUT)/lib/entry.o

.PHONY: guests
.PRECIOUS: $(GUESTS_OUT)/%.o # keep the objects
guests: $(GUEST_ELFS)

$(GUESTS_OUT)/lib/entry.o: guest-tests/lib/entry.asm
	@mkdir -p $(@D)
	@echo "  NASM  $<"
	@$(NASM) --reproducible -f elf32 -o $@ $<

$(GUESTS_OUT)/lib/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUESTS_OUT)/%.o: guest-tests/%/main.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUESTS_OUT)/bench-%.o: bench/%/main.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(GUEST_CFLAGS) -c -o $@ $<

$(GUESTS_OUT)/%.elf: $(GUESTS_OUT)/%.o $(GUEST_LIB_OBJECTS) guest-tests/lib/guest.ld
	@echo "  LD    $@"
	@$(CC) $(GUEST_LDFLAGS) -o $@ $< $(GUEST_LIB_OBJECTS)

-include $(GUEST_LIB_OBJECTS:.o=.d) $(patsubst %.elf,%.d,$(GUEST_ELFS))
