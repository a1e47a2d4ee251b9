/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Multiboot 1 (Multiboot Specification 0.6.96): kernels with address fields in their header, or ELF32; modules,
 * memory map, command lines. There is no video mode to set: a kernel that wishes one gets no video information. */
#pragma once

#include "vm/load.h"

/* Whether the file has a Multiboot 1 header with a right checksum (3.1). */
bool is_multiboot1(const struct load_module *module);

/* Loads modules[0] as the kernel and gives it the others. As guest_load; refusals 330 to 349 and 353 to 359. */
bool load_multiboot1(const struct load_input *input, struct vcpu_start *start, struct refusal *why);
