/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loading the guest from GRUB's modules: the first is the kernel, a Linux bzImage or a Multiboot 1 kernel.
 * Everything is checked and planned before the first byte is written; what does not add up is refused with a
 * message that names the field and its value. */
#pragma once

#include "base/refusal.h"
#include "devices/guest_ram.h"
#include "vm/guest_map.h"
#include "vm/vcpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_MODULES 16

/* A module lies where GRUB put it, perhaps in what is now guest RAM, and must not reach into Foliot's own memory. */
struct load_module {
	uint64_t hpa, bytes;
	const uint8_t *data; /* the same in our address space */
	const char *text;    /* its command line, outside guest RAM */
};

struct load_input {
	const struct load_module *modules;
	size_t count;
	const struct guest_map *map;
	const struct guest_ram *ram;
	uint64_t rsdp_gpa; /* for Linux's boot_params.acpi_rsdp_addr; 0: none */
};

/* Loads the guest and says how its processor starts. False: refused (302 to 369), and guest RAM is unchanged.
 * The BIOS data area and the ACPI tables are to be built afterwards: a module may lie there. */
bool guest_load(const struct load_input *input, struct vcpu_start *start, struct refusal *why);
