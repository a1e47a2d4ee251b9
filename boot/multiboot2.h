/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The loader's information (Multiboot2 2.0 section 3.4 ff.) read into a struct boot_info. Pure, and
 * distrustful: every size in it may lie. */
#pragma once

#include "base/refusal.h"
#include "boot/boot_info.h"

/* The most that is read: the information without the modules' contents, which is a few KiB in practice. */
#define MULTIBOOT2_BYTES_MAX (1u << 20)

/* Fills everything in boot but the image's place. information: as the loader left it, readable for
 * MULTIBOOT2_BYTES_MAX bytes or for the size that it states in its first word, whichever is less. False: it
 * cannot be used; boot is then undefined. */
bool multiboot2_parse(const void *information, struct boot_info *boot, struct refusal *why);

/* The kind of a memory map entry's type field; unknown types are reserved (ACPI 6.4 table 15.5). */
enum memory_kind multiboot2_memory_kind(uint32_t type);
